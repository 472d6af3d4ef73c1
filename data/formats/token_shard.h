// Token shards on disk, memory-mapped (data.md 4.2). Little-endian.
//
//   X.lct: "LCT1" u32 version u32 dtype (2 = u16, 4 = u32) u64 count u64 vocab i64 eos
//          32-byte tokenizer hash, zeros to 4096; the tokens; CRC-32C (u32) of each 4 MiB block
//   X.idx: "LCI1" u32 version u64 documents, 32-byte tokenizer hash, one u64 start per document
//
// Fields follow one another without padding. Tokens are u16 below 65,536 ids. The last block may be
// short; the file ends with the last checksum.
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "core/files/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

struct ShardHeader {
  std::int64_t count = 0;  ///< tokens
  std::int64_t vocab_size = 0;
  std::int64_t eos_id = -1;
  int bytes_per_token = 2;    ///< 2 or 4
  files::Digest tokenizer{};  ///< fingerprint of the tokenizer that made it
};

/// Checks magic, version, sizes and the header's sanity against the file size.
/// Throws DataError with `path` and offset.
ShardHeader parse_shard_header(std::span<const std::byte> file, const std::string& path);

/// An open shard. Opening checks the header; `verify` also checks every block's CRC and every id.
class TokenShard {
 public:
  explicit TokenShard(const std::filesystem::path& path, bool verify = true);
  [[nodiscard]] const ShardHeader& header() const { return header_; }
  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  [[nodiscard]] std::int64_t size() const { return header_.count; }
  /// Copies tokens [first, first + out.size()) as int64. Throws DataError (path and offset) for a
  /// range outside the shard or an id outside the vocabulary.
  void read(std::int64_t first, std::span<std::int64_t> out) const;
  /// Document starts from X.idx beside it; throws DataError if the index belongs to another shard.
  [[nodiscard]] std::vector<std::int64_t> document_starts() const;

 private:
  files::MappedFile file_;
  ShardHeader header_;
};

/// The documents of a shard, from X.idx beside it, memory-mapped: nothing is copied, so that a
/// shard may have hundreds of millions.
class ShardDocuments {
 public:
  /// Throws DataError: the index is damaged or belongs to another shard.
  explicit ShardDocuments(const TokenShard& shard);
  [[nodiscard]] std::int64_t size() const { return size_; }
  struct Range {
    std::int64_t first = 0;  ///< token of the shard
    std::int64_t count = 0;
  };
  /// Where a document lies. Throws DataError (path, byte) for a start that is out of order.
  [[nodiscard]] Range range(std::int64_t document) const;

 private:
  [[nodiscard]] std::int64_t start(std::int64_t document) const;
  files::MappedFile file_;
  std::int64_t tokens_;
  std::int64_t size_;
};

/// "X.idx" for "X.lct".
std::filesystem::path index_path(const std::filesystem::path& shard);

/// The document starts of an index's bytes, checked against the shard they belong to. Throws
/// DataError with `path` and offset.
std::vector<std::int64_t> parse_shard_index(std::span<const std::byte> file,
                                            const ShardHeader& shard, const std::string& path);

/// 2 below 65,536 ids, else 4.
int bytes_per_token(std::int64_t vocab_size);

/// Ids as a shard of that vocabulary stores them, for threads that have them to narrow them while
/// they are in the cache.
class PackedIds {
 public:
  /// 1 to 2^31 ids.
  explicit PackedIds(std::int64_t vocab_size) : vocab_size_(vocab_size) {}
  /// Returns ids.size(); or, having added nothing, the position of the first that is no id of the
  /// vocabulary.
  [[nodiscard]] std::size_t append(std::span<const std::int32_t> ids);
  void clear() { bytes_.clear(); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::int64_t vocab_size_;
  std::vector<std::byte> bytes_;
};

/// Writes one shard and its index; nothing is visible before finish().
class TokenShardWriter {
 public:
  TokenShardWriter(const std::filesystem::path& path, std::int64_t vocab_size, std::int64_t eos_id,
                   const files::Digest& tokenizer);
  ~TokenShardWriter();
  /// One document's ids, EOS included if wanted. Throws DataError for an id outside the vocabulary.
  void add_document(std::span<const std::int32_t> ids);
  /// The same for what follows in the document added last.
  void extend_document(std::span<const std::int32_t> ids);
  /// The same for ids that PackedIds of this vocabulary has checked.
  void add_document_packed(std::span<const std::byte> ids);
  void extend_document_packed(std::span<const std::byte> ids);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longconv::data
