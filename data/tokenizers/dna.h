// HyenaDNA's characters (arXiv:2306.15794; data.md 7.1), 12 ids:
//
//   [CLS] 0  [SEP] 1 = EOS  [BOS] 2, never used  [MASK] 3  [PAD] 4  [RESERVED] 5  [UNK] 6
//   A 7  C 8  G 9  T 10  N 11
//
// With upper_case, the rule for new runs: lower case (soft-masked) is read as upper case, and the
// other IUPAC codes (RYSWKMBDHV, U) as N. Without it, the published models' rule: both are [UNK].
// All else is [UNK] either way. Decoding gives "." for [UNK], which is [UNK] again.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace longconv::data {

class DnaTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kEos = 1;
  static constexpr std::int32_t kMask = 3;
  static constexpr std::int32_t kPad = 4;
  static constexpr std::int32_t kUnknown = 6;
  static constexpr std::int32_t kA = 7;
  static constexpr std::int32_t kN = 11;
  static constexpr std::int64_t kVocabSize = 12;

  explicit DnaTokenizer(const TokenizerOptions& options = {});

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override;
  /// The same into an array of as many ids.
  void encode(std::span<const char> bases, std::span<std::int64_t> ids) const;
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override;
  [[nodiscard]] std::int64_t vocab_size() const override { return kVocabSize; }
  [[nodiscard]] std::int64_t eos_id() const override { return kEos; }
  [[nodiscard]] files::Digest fingerprint() const override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] bool lossless() const override { return false; }
  /// Counts of soft-masked bases, of other IUPAC codes, and of what is no base at all.
  [[nodiscard]] std::string remarks() const override;
  void save(const std::filesystem::path& folder) const override;

 private:
  template <class Id>
  void code(std::span<const char> bases, std::span<Id> ids) const;
  enum Kind : std::uint8_t { base, soft_masked, ambiguous, foreign };
  TokenizerOptions options_;
  std::array<std::int32_t, 256> ids_{};
  std::array<Kind, 256> kinds_{};
  mutable std::array<std::atomic<std::int64_t>, 4> counts_{};
};

/// In place: the ids of the other strand; what is no A, C, G or T stays what it is.
void reverse_complement_ids(std::span<std::int64_t> ids);

}  // namespace longconv::data
