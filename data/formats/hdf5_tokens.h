// Token streams in HDF5 (data.md 4.2):
//
//   /tokens       u16 or u32 [N]
//   /doc_offsets  u64 [D], the first token of each document (absent: one document)
//   attributes    eos_id, vocab_size (integers), tokenizer_sha256 (64 hexadecimal digits)
//
// Training reads shards; this container is how streams come from and go to other programs.
#pragma once

#include "data/formats/token_shard.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace longconv::data {

/// An open container. Throws DataError with file and dataset; thread-safe.
class Hdf5Tokens {
 public:
  explicit Hdf5Tokens(const std::filesystem::path& path);
  ~Hdf5Tokens();
  /// The same facts as a shard's header.
  [[nodiscard]] const ShardHeader& header() const;
  [[nodiscard]] std::vector<std::int64_t> document_starts() const;
  /// Tokens [first, first + out.size()); throws DataError for an id outside the vocabulary.
  void read(std::int64_t first, std::span<std::int32_t> out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes `out` whole. Throws EnvironmentError.
void shard_to_hdf5(const TokenShard& shard, const std::filesystem::path& out);
/// Writes the shard `out` and its index. Throws DataError, EnvironmentError.
void hdf5_to_shard(const std::filesystem::path& container, const std::filesystem::path& out);

}  // namespace longconv::data
