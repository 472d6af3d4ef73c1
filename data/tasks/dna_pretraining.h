// Next-base prediction on a genome, as HyenaDNA is pre-trained (arXiv:2306.15794; data.md 7.2):
// one window for each interval of a BED file (chromosome, start, end, part), an epoch is one pass
// over the intervals; and the fixed test set, whole regions cut into windows.
//
// A window of at most `length` ids (HyenaDNA's max_length) is bases and an end symbol, PAD on the
// left; input and target have length - 1 each.
#pragma once

#include "data/formats/genome.h"
#include "data/loader/loader.h"
#include "data/tasks/dna_config.h"
#include "data/tokenizers/dna.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

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

/// Batches: input, target (B, length - 1) int64. Part "train" is augmented.
class DnaPretraining final : public Dataset {
 public:
  /// Throws ConfigError for keys without a value; DataError for intervals that do not lie in the
  /// genome (file and line), damaged files, and a part without intervals.
  DnaPretraining(const DnaPretrainingConfig& config, const std::string& part, std::int64_t length);
  /// With the genome of another part.
  DnaPretraining(const DnaPretrainingConfig& config, const std::string& part, std::int64_t length,
                 std::shared_ptr<const Genome> genome);
  /// The same windows at another length, for stages of a length warm-up (data.md 7.2); shares the
  /// genome. max_n_share was decided at the first length.
  [[nodiscard]] std::shared_ptr<const DnaPretraining> at_length(std::int64_t length) const;

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  /// The bases of a window as they are encoded; `key` as draw() takes it, nullptr for get().
  [[nodiscard]] std::string bases(std::int64_t index, const std::uint64_t* key) const;
  [[nodiscard]] const DnaTokenizer& tokenizer() const;
  [[nodiscard]] std::shared_ptr<const Genome> genome() const;
  [[nodiscard]] std::int64_t left_out() const;  ///< windows with too many N
  /// Hex sha256 of the intervals, the sequences' names and lengths, and how they are encoded.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Impl;
  explicit DnaPretraining(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  [[nodiscard]] Batch rows(std::span<const std::int64_t> indices, const std::uint64_t* keys) const;
  std::shared_ptr<const Impl> impl_;
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
