// Every byte is a token: ids 0 to 255 are the bytes, 256 is EOS. No file, no training, no loss.
#pragma once

#include "data/tokenizers/tokenizer.h"

namespace longconv::data {

class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kEos = 256;
  static constexpr std::int64_t kVocabSize = 257;

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override;
  [[nodiscard]] std::int64_t vocab_size() const override { return kVocabSize; }
  [[nodiscard]] std::int64_t eos_id() const override { return kEos; }
  [[nodiscard]] files::Digest fingerprint() const override;
  [[nodiscard]] std::string describe() const override { return "bytes, 257 ids"; }
  void save(const std::filesystem::path& folder) const override;
};

}  // namespace longconv::data
