#include "data/tasks/dna_labelled.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "data/formats/bases.h"
#include "data/formats/fasta_records.h"
#include "data/formats/genome.h"
#include "data/formats/genome_files.h"
#include "data/formats/genome_tables.h"
#include "data/formats/idx_file.h"  // read_maybe_gzip
#include "data/tasks/dna_shard.h"
#include "data/tasks/ordered_work.h"

#include <algorithm>
#include <array>
#include <map>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  const std::vector<std::byte> bytes = read_maybe_gzip(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Names of a part's classes, found by `name`, which is empty for other files and folders.
std::map<std::string, fs::path> classes_in(
    const fs::path& part, const std::function<std::string(const fs::path&)>& name) {
  std::map<std::string, fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(part, error)) {
    const std::string found = name(entry.path());
    if (found.empty()) continue;
    const auto [at, fresh] = out.emplace(found, entry.path());
    LONGCONV_CHECK(fresh, DataError, "{}: class {} is also {}", entry.path().string(), found,
                   at->second.filename().string());
  }
  return out;
}

/// The parts of a data set, each with its classes, which must agree: in HyenaDNA their ids follow
/// the order of a listing, which can differ between train and test.
using Parts = std::vector<std::pair<std::string, std::map<std::string, fs::path>>>;
Parts find_parts(const fs::path& folder, const std::vector<std::string>& names,
                 const std::function<std::string(const fs::path&)>& name) {
  Parts parts;
  for (const std::string& part : names) {
    std::error_code error;
    const bool optional = part == "validation";
    if (optional && !fs::is_directory(folder / part, error)) continue;
    parts.emplace_back(part, classes_in(folder / part, name));
    const auto& classes = parts.back().second;
    LONGCONV_CHECK(classes.size() >= 2, DataError, "{}: {} classes in it, expected two or more",
                   (folder / part).string(), classes.size());
    const auto& first = parts.front().second;
    const bool same = std::equal(classes.begin(), classes.end(), first.begin(), first.end(),
                                 [](const auto& a, const auto& b) { return a.first == b.first; });
    LONGCONV_CHECK(same, DataError, "{}: other classes than in {}", (folder / part).string(),
                   (folder / parts.front().first).string());
  }
  return parts;
}

std::vector<std::string> class_names(const Parts& parts) {
  std::vector<std::string> out;
  for (const auto& [name, path] : parts.front().second) out.push_back(name);
  return out;
}

/// A sequence that is a whole file.
std::string read_sequence(const fs::path& path) {
  std::string text = files::read_text(path);
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  LONGCONV_CHECK(!text.empty(), DataError, "{}: an empty sequence", path.string());
  check_letters(text, path.string());
  return text;
}

void add_folder(DnaShard& shard, const fs::path& folder, int label, std::int64_t threads) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    LONGCONV_CHECK(entry.path().extension() == ".txt", DataError,
                   "{}: expected files <id>.txt with a sequence each", entry.path().string());
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  LONGCONV_CHECK(!files.empty(), DataError, "{}: no sequences in it", folder.string());
  in_order(
      static_cast<std::int64_t>(files.size()), threads, 256,
      [&](std::int64_t i) { return read_sequence(files[static_cast<std::size_t>(i)]); },
      [&](const std::string& bases) { shard.add(bases, label); });
}

void add_intervals(DnaShard& shard, const fs::path& path, const Genome& genome, int label) {
  const std::string text = text_of(path);
  std::string bases;
  for_each_genome_interval(text, path.string(), genome, [&](const GenomeInterval& row) {
    bases.resize(static_cast<std::size_t>(row.end - row.start));
    genome.read(row.sequence, row.start, bases);
    if (row.reverse) reverse_complement(bases);
    shard.add(bases, label);
  });
}

void add_fasta(DnaShard& shard, const fs::path& path,
               const std::function<int(const FastaRecord&, const std::string&)>& label) {
  const std::string text = text_of(path);
  for_each_fasta_record(text, path.string(),
                        [&](const FastaRecord& record, const std::string& where) {
                          shard.add(record.bases, label(record, where));
                        });
}

/// The one FASTA file of a folder with a word in its name.
fs::path file_with(const fs::path& folder, const std::string& word) {
  std::vector<fs::path> found;
  for (const fs::path& path : list_genomes(folder)) {
    if (path.filename().string().find(word) != std::string::npos) found.push_back(path);
  }
  LONGCONV_CHECK(found.size() == 1, DataError,
                 "{}: {} FASTA files with \"{}\" in their names, expected one", folder.string(),
                 found.size(), word);
  return found.front();
}

}  // namespace

Written prepare_genomic_benchmark(const GenomicBenchmarkConfig& config, const fs::path& folder,
                                  const fs::path& out, std::int64_t threads) {
  const Parts parts = find_parts(folder, {"train", "test"}, [](const fs::path& path) {
    std::error_code error;
    std::string name = path.filename().string();
    if (fs::is_directory(path, error)) return name;
    for (const std::string_view ending : {".csv.gz", ".csv"}) {
      if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
    }
    return std::string();
  });
  std::shared_ptr<const Genome> genome;
  DnaShard shard(out, "genomic_benchmark", class_names(parts), config.upper_case());
  for (const auto& [part, classes] : parts) {
    int label = 0;
    for (const auto& [name, path] : classes) {
      if (fs::is_directory(path)) {
        add_folder(shard, path, label, threads);
      } else {
        if (genome == nullptr) {
          if (config.genome().empty()) {
            config.genome.fail(
                fmt::format("{} holds intervals; expected the genome that they lie "
                            "in",
                            path.string()));
          }
          genome = open_genome(config.genome());
        }
        add_intervals(shard, path, *genome, label);
      }
      ++label;
    }
    shard.end_part(part);
  }
  return shard.finish(sources_json({folder}));
}

std::span<const NucleotideTask> nucleotide_tasks() {
  static constexpr std::array<NucleotideTask, 18> kTasks = {{
      {"enhancers", 200, 2, "mcc"},
      {"enhancers_types", 200, 3, "mcc"},
      {"H3", 500, 2, "mcc"},
      {"H3K4me1", 500, 2, "mcc"},
      {"H3K4me2", 500, 2, "mcc"},
      {"H3K4me3", 500, 2, "mcc"},
      {"H3K9ac", 500, 2, "mcc"},
      {"H3K14ac", 500, 2, "mcc"},
      {"H3K36me3", 500, 2, "mcc"},
      {"H3K79me3", 500, 2, "mcc"},
      {"H4", 500, 2, "mcc"},
      {"H4ac", 500, 2, "mcc"},
      {"promoter_all", 300, 2, "macro_f1"},
      {"promoter_no_tata", 300, 2, "macro_f1"},
      {"promoter_tata", 300, 2, "macro_f1"},
      {"splice_sites_acceptors", 600, 2, "macro_f1"},
      {"splice_sites_donors", 600, 2, "macro_f1"},
      {"splice_sites_all", 400, 3, "macro_f1"},
  }};
  return kTasks;
}

const NucleotideTask* find_nucleotide_task(std::string_view name) {
  std::string wanted(name);
  const std::pair<const char*, const char*> spellings[] = {
      {"promoter_non_tata", "promoter_no_tata"},
      {"enhancer", "enhancers"},
      {"enhancer_types", "enhancers_types"},
      {"splice_sites_acceptor", "splice_sites_acceptors"},
      {"splice_sites_donor", "splice_sites_donors"}};
  for (const auto& [from, to] : spellings) {
    if (wanted == from) wanted = to;
  }
  const auto tasks = nucleotide_tasks();
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [&](const NucleotideTask& each) { return wanted == each.name; });
  return found == tasks.end() ? nullptr : &*found;
}

Written prepare_nucleotide_task(const NucleotideTransformerConfig& config, const fs::path& folder,
                                const fs::path& out, std::int64_t /*threads*/) {
  const std::string name =
      config.task().empty()
          ? fs::absolute(folder / "").lexically_normal().parent_path().filename().string()
          : config.task();
  const NucleotideTask* task = find_nucleotide_task(name);
  if (task == nullptr) {
    std::string all;
    for (const NucleotideTask& each : nucleotide_tasks()) all += std::string(" ") + each.name;
    config.task.fail(
        fmt::format("\"{}\" is no task of the Nucleotide Transformer; there are:{}", name, all));
  }
  std::vector<std::string> classes;
  classes.reserve(static_cast<std::size_t>(task->classes));
  for (int label = 0; label < task->classes; ++label) classes.push_back(std::to_string(label));
  DnaShard shard(out, std::string("nucleotide_transformer ") + task->name, classes,
                 config.upper_case());
  const std::pair<std::string, fs::path> parts[] = {{"train", file_with(folder, "train")},
                                                    {"test", file_with(folder, "test")}};
  for (const auto& [part, path] : parts) {
    add_fasta(shard, path, [&](const FastaRecord& record, const std::string& where) {
      const int label = record.header.empty() ? -1 : record.header.back() - '0';
      LONGCONV_CHECK(label >= 0 && label < task->classes, DataError,
                     "{}: header \"{:.80}\": expected a label of 0 to {} as its last character",
                     where, record.header, task->classes - 1);
      LONGCONV_CHECK(static_cast<std::int64_t>(record.bases.size()) <= task->length, DataError,
                     "{}: {} bases, sequences of {} have {} at most: is this the revised benchmark "
                     "of 2024?",
                     where, record.bases.size(), task->name, task->length);
      return label;
    });
    shard.end_part(part);
  }
  return shard.finish(sources_json({parts[0].second, parts[1].second}));
}

Written prepare_dna_fasta(const DnaFastaConfig& config, const fs::path& folder, const fs::path& out,
                          std::int64_t /*threads*/) {
  const Parts parts = find_parts(folder, {"train", "validation", "test"},
                                 [](const fs::path& path) { return genome_name(path); });
  DnaShard shard(out, "dna_fasta", class_names(parts), config.upper_case());
  for (const auto& [part, classes] : parts) {
    int label = 0;
    for (const auto& [name, path] : classes) {
      add_fasta(shard, path, [label](const FastaRecord&, const std::string&) { return label; });
      ++label;
    }
    shard.end_part(part);
  }
  return shard.finish(sources_json({folder}));
}

}  // namespace longconv::data
