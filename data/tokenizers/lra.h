// The fixed vocabularies of Long Range Arena (arXiv:2011.04006; data.md 2.2, 2.3).
#pragma once

#include "data/tokenizers/tokenizer.h"

namespace longconv::data {

/// ListOps, 18 ids: <pad> 0, <unk> 1, <eos> 2, "]" 3, digits 4 to 13, [MIN 14, [MAX 15, [MED 16,
/// [SM 17. Symbols are separated by spaces; parentheses carry nothing and are dropped. Decoding
/// joins symbols with spaces.
class ListOpsTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kPad = 0;
  static constexpr std::int32_t kUnknown = 1;
  static constexpr std::int32_t kEos = 2;
  static constexpr std::int64_t kVocabSize = 18;

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override;
  [[nodiscard]] std::int64_t vocab_size() const override { return kVocabSize; }
  [[nodiscard]] std::int64_t eos_id() const override { return kEos; }
  [[nodiscard]] files::Digest fingerprint() const override;
  [[nodiscard]] std::string describe() const override { return "listops, 18 ids"; }
  [[nodiscard]] bool lossless() const override { return false; }
  void save(const std::filesystem::path& folder) const override;
};

/// LRA's own bytes for Text and Retrieval: id = byte + 1, 0 pads; no EOS.
class LraByteTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kPad = 0;
  static constexpr std::int64_t kVocabSize = 257;

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override;
  [[nodiscard]] std::int64_t vocab_size() const override { return kVocabSize; }
  [[nodiscard]] std::int64_t eos_id() const override { return -1; }
  [[nodiscard]] files::Digest fingerprint() const override;
  [[nodiscard]] std::string describe() const override { return "lra bytes, 257 ids"; }
  void save(const std::filesystem::path& folder) const override;
};

}  // namespace longconv::data
