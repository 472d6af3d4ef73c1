// Keys of next-base prediction on a genome (data/tasks/dna_pretraining.h).
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

struct GenomeConfig : config::Section {
  GenomeConfig(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::string> genome{this, "genome", "",
                                  "FASTA (plain, bgzip or gzip) or 2bit, e.g. hg38.ml.fa"};
  config::Key<bool> upper_case{
      this, "upper_case", true,
      "read soft-masked bases as upper case and IUPAC codes as N; false = both are [UNK], as the "
      "published models were trained"};
  config::Key<bool> n_is_padding{this, "n_is_padding", false,
                                 "turn N into PAD (HyenaDNA's replace_N_token)"};
  config::Key<bool> ignore_padding{this, "ignore_padding", true,
                                   "PAD does not count in the loss; false = as HyenaDNA"};
};

struct DnaPretrainingConfig : GenomeConfig {
  explicit DnaPretrainingConfig(Section* parent = nullptr, std::string name = "")
      : GenomeConfig(parent, std::move(name), "Windows at intervals of a genome") {}
  config::Key<std::string> intervals{
      this, "intervals", "",
      "BED file with a fourth column that says train, valid or test, e.g. human-sequences.bed"};
  config::Key<bool> end_symbol{this, "end_symbol", true, "end each window with [SEP]"};
  config::Key<bool> pad_interval{this, "pad_interval", false,
                                 "show what lies outside the chromosome as \".\", which is [UNK]; "
                                 "false = the window is shorter"};
  config::Key<bool> reverse_complement{this, "reverse_complement", false,
                                       "show every second window from the other strand, by chance"};
  config::Key<std::int64_t> shift_left{this, "shift_left", 0,
                                       config::between(std::int64_t{0}, std::int64_t{1} << 24),
                                       "move intervals by up to so many bases to the left"};
  config::Key<std::int64_t> shift_right{this, "shift_right", 0,
                                        config::between(std::int64_t{0}, std::int64_t{1} << 24),
                                        "or to the right, by chance"};
  config::Key<double> max_n_share{this, "max_n_share", 1.0, config::between(0.0, 1.0),
                                  "leave out windows with a larger share of N; 1 = none, as "
                                  "HyenaDNA. All windows are read once to know"};
};

struct DnaTilesConfig : GenomeConfig {
  explicit DnaTilesConfig(Section* parent = nullptr, std::string name = "")
      : GenomeConfig(parent, std::move(name), "Regions of a genome, cut into windows") {}
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024,
                                    config::between(std::int64_t{2}, std::int64_t{1} << 28),
                                    "bases of a window"};
  config::Key<std::vector<std::string>> regions{
      this,
      "regions",
      {"chr14:19726402-106677047", "chrX:2825622-144342320"},
      "name:start-end, 0-based, the end not included; the default is HyenaDNA's test set"};
};

struct DnaPromptKeys : config::Section {
  DnaPromptKeys(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::int64_t> shots{this, "shots", 2,
                                  config::between(std::int64_t{0}, std::int64_t{1024}),
                                  "sequences shown of each class, from the train part"};
  config::Key<std::int64_t> max_length{this, "max_length", 1024, config::at_least(std::int64_t{1}),
                                       "bases of a sequence at most; the first are kept"};
};

/// [data.prompts]: what a run reads, part after part; data.path is its own.
struct RunPromptsConfig : DnaPromptKeys {
  explicit RunPromptsConfig(Section* parent)
      : DnaPromptKeys(parent, "prompts", "task = prompts: labelled sequences in a row") {}
};

struct DnaSpeciesKeys : config::Section {
  DnaSpeciesKeys(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::string> folder{this, "folder", "",
                                  "a folder a species, with FASTA or 2bit files in it: one a "
                                  "chromosome (chr1.fa, chr2.fna.gz, ...) or one a strain"};
  config::Key<std::vector<std::string>> species{
      this, "species", {}, "folders to use, in the order of their labels; empty = all, by name"};
  config::Key<std::vector<std::string>> validation{
      this,
      "validation",
      {"1", "3", "12", "13"},
      "files held out of every species, by name without ending; \"1\" is chr1 too"};
  config::Key<std::vector<std::string>> test{
      this, "test", {"5", "7", "9", "10", "11"}, "files held out for the test, likewise"};
  config::Key<std::int64_t> count{this, "count", 10'000, config::at_least(std::int64_t{1}),
                                  "windows of an epoch"};
  config::Key<bool> by_length{this, "by_length", false,
                              "draw sequences of a species by their lengths; false = all alike"};
  config::Key<bool> trim_ends{
      this, "trim_ends", false,
      "draw nothing from the ends of a sequence: train 10 % at either, else "
      "20 %"};
  config::Key<bool> reverse_complement{this, "reverse_complement", false,
                                       "train: show every second window from the other strand"};
  config::Key<bool> upper_case{this, "upper_case", true,
                               "read soft-masked bases as upper case and IUPAC codes as N"};
};

/// [data.species]: what a run reads, part after part; data.seq_len is its own.
struct RunSpeciesConfig : DnaSpeciesKeys {
  explicit RunSpeciesConfig(Section* parent)
      : DnaSpeciesKeys(parent, "species", "task = species: windows of whole genomes") {}
  config::Key<std::int64_t> held_out_count{this, "held_out_count", 1'000,
                                           config::at_least(std::int64_t{1}),
                                           "windows of validation and of test, always the same"};
};

}  // namespace longconv::data
