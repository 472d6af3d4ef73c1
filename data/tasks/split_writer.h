// The shards of one split, a new one whenever the last is full.
#pragma once

#include "data/formats/token_shard.h"
#include "data/tasks/corpus_manifest.h"
#include "data/tokenizers/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace longconv::data {

class SplitWriter {
 public:
  /// Shards are `folder`/`name`-000.lct, -001.lct, ...; `name` is relative, "train/00012". What is
  /// there under such names is removed first. A shard is closed after the document that fills it.
  SplitWriter(std::filesystem::path folder, std::string name, const Tokenizer& tokenizer,
              std::int64_t shard_tokens);

  /// The next piece of a document: its PackedIds, and how many bytes of text they stand for.
  void add(std::span<const std::byte> ids, std::int64_t bytes, bool begins, bool ends);
  /// Closes the last shard.
  ManifestSplit finish();

 private:
  void close();

  std::filesystem::path folder_;
  std::string name_;
  std::int64_t vocab_size_;
  std::int64_t eos_id_;
  files::Digest fingerprint_;
  std::int64_t shard_tokens_;
  ManifestSplit split_;
  ManifestShard shard_;
  std::unique_ptr<TokenShardWriter> writer_;
};

}  // namespace longconv::data
