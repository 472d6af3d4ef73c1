// Language modelling over token shards: windows of seq_len + 1 tokens that share one token with
// their neighbour and ignore document limits (data.md 4.2).
#pragma once

#include "data/config.h"
#include "data/formats/token_shard.h"
#include "data/loader/loader.h"
#include "data/tokenizers/tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace longconv::data {

/// A folder as `longconv data prepare text` writes it: train/*.lct, validation/*.lct, tokenizer/,
/// manifest.json (counts, UTF-8 bytes and sources of each split, tokenizer fingerprint, checksums).
struct Corpus {
  std::filesystem::path folder;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<std::filesystem::path> train;
  std::vector<std::filesystem::path> validation;
  std::int64_t train_bytes = 0;  ///< UTF-8 bytes of the text, for bits per byte
  std::int64_t validation_bytes = 0;
  std::int64_t train_tokens = 0;
  std::int64_t validation_tokens = 0;
  std::string fingerprint;  ///< hex sha256 of the manifest, but for how long it took
};

/// Throws DataError if the folder, its manifest or a shard is missing or foreign, or if the
/// tokenizer (config.tokenizer, else the folder's own) is not the one the shards were made with.
Corpus open_corpus(const DataConfig& config);

/// Windows over the concatenation of the shards, memory-mapped. Item i is tokens [i L, i L + L].
/// Checksums are checked at opening up to 4 GiB of shards in all; every id is when it is read.
class WindowDataset final : public Dataset {
 public:
  WindowDataset(const std::vector<std::filesystem::path>& shards, std::int64_t seq_len);
  ~WindowDataset() override;
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] std::int64_t tokens() const;  ///< of all shards
  /// Tokens [first, first + out.size()) of the concatenation, for evaluation.
  void read(std::int64_t first, std::span<std::int64_t> out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longconv::data
