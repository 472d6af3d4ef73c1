// Next-base prediction on a genome, as HyenaDNA is pre-trained (arXiv:2306.15794; data.md 7.2):
// one window for each interval of a BED file (chromosome, start, end, part), an epoch is one pass
// over the intervals; and the fixed test set, whole regions cut into windows.
//
// A window of at most seq_len ids is bases and an end symbol, PAD on the left; input and target
// have seq_len - 1 each.
#pragma once

#include "core/config/section.h"
#include "data/formats/genome.h"
#include "data/loader/loader.h"
#include "data/tokenizers/dna.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

struct GenomeConfig : config::Section {
  GenomeConfig(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::string> genome{this, "genome", "",
                                  "FASTA (plain, bgzip or gzip) or 2bit, e.g. hg38.ml.fa"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024,
                                    config::between(std::int64_t{2}, std::int64_t{1} << 28),
                                    "ids of a window at most (HyenaDNA's max_length); input and "
                                    "target have one less"};
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
  config::Key<std::string> part{this, "part", "train",
                                config::one_of({"train", "validation", "test"}),
                                "which intervals; only train is augmented"};
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

/// What of a sequence a window shows.
struct GenomeWindow {
  std::int64_t begin = 0;  ///< [begin, end) lies in the sequence
  std::int64_t end = 0;
  std::int64_t left = 0;  ///< bases that the window has before the sequence's begin
  std::int64_t right = 0;
  bool operator==(const GenomeWindow&) const = default;
};

/// The window of `length` bases for [start, end) of a sequence: grown around a shorter interval,
/// half of it (rounded down) to the left; the first bases of a longer one.
GenomeWindow window_of(std::int64_t start, std::int64_t end, std::int64_t length,
                       std::int64_t sequence_length);

/// Batches: input, target (B, seq_len - 1) int64.
class DnaPretraining final : public Dataset {
 public:
  /// Throws ConfigError for keys without a value; DataError for intervals that do not lie in the
  /// genome (file and line), damaged files, and a part without intervals.
  explicit DnaPretraining(const DnaPretrainingConfig& config);
  /// The same windows at another length, for stages of a length warm-up (data.md 7.2); shares the
  /// genome. max_n_share was decided at the configured length.
  [[nodiscard]] std::shared_ptr<const DnaPretraining> at_length(std::int64_t seq_len) const;

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  /// The bases of a window as they are encoded; `key` as draw() takes it, nullptr for get().
  [[nodiscard]] std::string bases(std::int64_t index, const std::uint64_t* key) const;
  [[nodiscard]] const DnaTokenizer& tokenizer() const;
  [[nodiscard]] std::int64_t left_out() const;  ///< windows with too many N

 private:
  struct Impl;
  explicit DnaPretraining(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  [[nodiscard]] Batch rows(std::span<const std::int64_t> indices, const std::uint64_t* keys) const;
  std::shared_ptr<const Impl> impl_;
};

struct DnaTilesConfig : GenomeConfig {
  explicit DnaTilesConfig(Section* parent = nullptr, std::string name = "")
      : GenomeConfig(parent, std::move(name), "Regions of a genome, cut into windows") {}
  config::Key<std::vector<std::string>> regions{
      this,
      "regions",
      {"chr14:19726402-106677047", "chrX:2825622-144342320"},
      "name:start-end, 0-based, the end not included; the default is HyenaDNA's test set"};
};

/// Batches: input, target (B, seq_len) int64: the end symbol stands behind seq_len ids here. The
/// last window of a region is shorter. HyenaDNA's test set has n_is_padding.
class DnaTiles final : public Dataset {
 public:
  /// Throws ConfigError for a region that cannot be read or does not lie in the genome, DataError.
  explicit DnaTiles(const DnaTilesConfig& config);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// The file that `config.genome` names. Throws ConfigError if it names none, DataError.
std::shared_ptr<const Genome> open_genome_of(const config::Key<std::string>& key);

}  // namespace longconv::data
