// Labelled DNA sequences to sample shards: GenomicBenchmarks (data.md 7.4), the Nucleotide
// Transformer's tasks (7.5), and FASTA of your own. Values of a shard are the ids of
// data/tokenizers/dna.h; its padding is PAD, on the left.
#pragma once

#include "core/config/section.h"
#include "data/tasks/labelled.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace longconv::data {

struct DnaClassesConfig : config::Section {
  explicit DnaClassesConfig(std::string help) : Section(nullptr, "", std::move(help)) {}
  config::Key<bool> upper_case{this, "upper_case", true,
                               "read soft-masked bases as upper case and IUPAC codes as N; false = "
                               "both are [UNK], as HyenaDNA's loaders do"};
};

struct GenomicBenchmarkConfig : DnaClassesConfig {
  GenomicBenchmarkConfig() : DnaClassesConfig("A data set of GenomicBenchmarks") {}
  config::Key<std::string> genome{this, "genome", "",
                                  "FASTA or 2bit file that the intervals of <class>.csv.gz lie in; "
                                  "not needed for folders of sequences"};
};

/// `folder` has train/ and test/, in each a folder a class with a file a sequence (<id>.txt), or
/// <class>.csv[.gz] with the columns id, region, start, end, strand. Classes are sorted by name and
/// must be the same in both.
Written prepare_genomic_benchmark(const GenomicBenchmarkConfig& config,
                                  const std::filesystem::path& folder,
                                  const std::filesystem::path& out, std::int64_t threads);

struct NucleotideTransformerConfig : DnaClassesConfig {
  NucleotideTransformerConfig() : DnaClassesConfig("A task of the Nucleotide Transformer") {}
  config::Key<std::string> task{this, "task", "", "one of the 18; empty = the folder's name"};
};

/// One of the 18 tasks as first published (the revised ones of 2024 have the same names and longer
/// sequences).
struct NucleotideTask {
  const char* name;
  std::int64_t length;  ///< bases of a sequence at most
  int classes;
  const char* metric;  ///< "mcc" or "macro_f1"
};
std::span<const NucleotideTask> nucleotide_tasks();
/// By name; copies differ in singular and plural, and in "no_tata" and "non_tata". nullptr if there
/// is none.
const NucleotideTask* find_nucleotide_task(std::string_view name);

/// `folder` has a FASTA file with "train" and one with "test" in its name; the label is the last
/// character of a header's line.
Written prepare_nucleotide_task(const NucleotideTransformerConfig& config,
                                const std::filesystem::path& folder,
                                const std::filesystem::path& out, std::int64_t threads);

struct DnaFastaConfig : DnaClassesConfig {
  DnaFastaConfig() : DnaClassesConfig("FASTA of your own, with labels") {}
};

/// `folder` has train/, perhaps validation/, and test/, in each a FASTA file a class, named after
/// it. Classes are sorted by name and must be the same everywhere.
Written prepare_dna_fasta(const DnaFastaConfig& config, const std::filesystem::path& folder,
                          const std::filesystem::path& out, std::int64_t threads);

}  // namespace longconv::data
