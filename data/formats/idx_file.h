// IDX files, as MNIST and Fashion-MNIST come: big-endian, two zero bytes, a type, the number of
// dimensions, one u32 each, then the data, last dimension fastest (data.md 3.2). Often gzipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

/// An array of bytes (type 08, the only one that the sets use).
struct IdxArray {
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  ///< into the bytes that were parsed
};

/// Throws DataError with `path` and offset: wrong magic, another type, sizes that lie.
IdxArray parse_idx(std::span<const std::byte> bytes, const std::string& path);

/// A file's bytes, decompressed if it is gzip. Throws DataError: missing, damaged, truncated, or
/// more than `max_bytes` of content.
std::vector<std::byte> read_maybe_gzip(const std::filesystem::path& path,
                                       std::size_t max_bytes = std::size_t{1} << 32);

}  // namespace longconv::data
