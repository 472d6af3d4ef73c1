// NumPy's .npy, versions 1 to 3, C order, little-endian, the dtypes of core/base/dtype.h but bf16.
#pragma once

#include "core/files/safetensors.h"  // TensorView

namespace longconv::files {

/// Parses; the view points into `bytes`. Throws DataError with `path` and what was expected.
TensorView parse_npy(std::span<const std::byte> bytes, const std::string& path);

/// The bytes in front of the data, version 1.0, for callers that write the data as they make it.
/// Throws DataError naming `path` for bf16 and for too many dimensions.
std::string npy_header(Dtype dtype, std::span<const std::int64_t> shape, const std::string& path);

/// Writes version 1.0 atomically. Throws EnvironmentError; DataError for bf16.
void write_npy(const std::filesystem::path& path, const TensorView& tensor);

}  // namespace longconv::files
