// Element types, device kinds and the stream handle, free of any framework's or CUDA's headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

struct CUstream_st;  // CUDA's own name for what cudaStream_t points to

namespace longconv {

enum class Dtype : std::uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, boolean };

enum class Device : std::uint8_t { cpu, cuda };

/// A CUDA stream, or nullptr on the CPU.
using Stream = CUstream_st*;

/// "float32", "bf16", ...: the words used in messages.
[[nodiscard]] std::string_view name(Dtype dtype) noexcept;
/// "cpu" or "cuda".
[[nodiscard]] std::string_view name(Device device) noexcept;
/// Bytes per element.
[[nodiscard]] std::size_t size_of(Dtype dtype) noexcept;

}  // namespace longconv
