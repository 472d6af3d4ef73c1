// CIFAR-10's binary batches: records of one label byte and 3 x 32 x 32 bytes, red, green and blue
// planes, row-major (data.md 3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

inline constexpr int kCifarSide = 32;

struct CifarBatch {
  std::span<const std::byte> bytes;
  std::int64_t records = 0;
  [[nodiscard]] int label(std::int64_t record) const;
  /// Colours, channels last.
  [[nodiscard]] std::vector<std::uint8_t> colours(std::int64_t record) const;
};

/// Throws DataError with `path` and offset: empty, no whole number of records, a label above 9.
CifarBatch parse_cifar(std::span<const std::byte> bytes, const std::string& path);

}  // namespace longconv::data
