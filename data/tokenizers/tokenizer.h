// Text to token ids and back. Every tokenizer can round-trip bytes.
#pragma once

#include "core/files/hash.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// Thread-safe once built.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of `text` without special tokens.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  /// The bytes the ids stand for; special tokens give nothing. Throws DataError for an unknown id.
  [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
  [[nodiscard]] virtual std::int64_t vocab_size() const = 0;
  /// The id put after each document, or -1 where the tokenizer has none.
  [[nodiscard]] virtual std::int64_t eos_id() const = 0;
  /// What kind it is and of which content: stored in every shard.
  [[nodiscard]] virtual files::Digest fingerprint() const = 0;
  [[nodiscard]] virtual std::string describe() const = 0;  ///< "sentencepiece unigram, 2000 ids"
  /// Writes what open_tokenizer(folder) needs into `folder`. Throws EnvironmentError.
  virtual void save(const std::filesystem::path& folder) const = 0;
};

/// `name_or_path`: "bytes"; a *.model file (SentencePiece); or a folder written by save().
/// Throws DataError naming the path and what was expected.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& name_or_path);

}  // namespace longconv::data
