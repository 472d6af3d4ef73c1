// Numeric series in HDF5 (data.md 4.2): subjects x time x channels, such as parcellated fMRI.
//
//   /series  f32 [S, T, C]
//   /mask    u8 [S, T], 1 = valid (absent: all valid)
//   /labels  i64 [S] (optional)
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace longconv::data {

struct Series {
  std::int64_t subjects = 0;         ///< S
  std::int64_t length = 0;           ///< T, in time steps
  std::int64_t channels = 0;         ///< C
  std::vector<float> values;         ///< [S, T, C]
  std::vector<std::uint8_t> mask;    ///< [S, T], 0 or 1
  std::vector<std::int64_t> labels;  ///< [S], or empty for none
};

/// True if the HDF5 file holds /series rather than /tokens. Throws DataError if it holds neither.
bool is_series(const std::filesystem::path& path);
/// Throws DataError with file and dataset: shapes that do not belong together, a mask value that is
/// neither 0 nor 1, sizes that the file does not hold.
Series read_series(const std::filesystem::path& path);
/// Writes `path` whole. Throws DataError for sizes that do not match, EnvironmentError.
void write_series(const std::filesystem::path& path, const Series& series);

}  // namespace longconv::data
