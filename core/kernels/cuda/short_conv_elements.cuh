// What the kernels of the short convolution share: 32-bit words of channels, 16-byte chunks of time
// steps, taps in registers, and the second stage of the sums over batch and time.
#pragma once

#include "core/base/dtype.h"
#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/elements.cuh"

#include <cstdint>

namespace longconv::kernels::cuda {

/// Elements of a 32-bit word and of a 16-byte chunk.
template <class T>
inline constexpr int kWord = static_cast<int>(4 / sizeof(T));
template <class T>
inline constexpr int kChunk = static_cast<int>(16 / sizeof(T));

template <class T>
__device__ inline void from_word(float (&x)[kWord<T>], std::uint32_t word) {
  if constexpr (sizeof(T) == 4) {
    x[0] = __uint_as_float(word);
  } else {
    const float2 pair = unpack<T>(word);
    x[0] = pair.x;
    x[1] = pair.y;
  }
}
template <class T>
__device__ inline std::uint32_t to_word(const float (&x)[kWord<T>]) {
  if constexpr (sizeof(T) == 4) {
    return __float_as_uint(x[0]);
  } else {
    return pack<T>(x[0], x[1]);
  }
}

template <class T>
__device__ inline void from_chunk(float* x, const uint4& chunk) {
  const std::uint32_t words[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    float part[kWord<T>];
    from_word<T>(part, words[i]);
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      x[i * kWord<T> + e] = part[e];
    }
  }
}
template <class T>
__device__ inline uint4 to_chunk(const float* x) {
  std::uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    float part[kWord<T>];
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      part[e] = x[i * kWord<T> + e];
    }
    words[i] = to_word<T>(part);
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}

/// Taps of channel c of [C, K]; a filter shorter than kTaps gets zeros in front, since the last tap
/// is the present step. Zeros for channels that are not there.
template <int kTaps>
__device__ inline void load_taps(float (&w)[kTaps], const float* all, long long c, bool there,
                                 int taps) {
#pragma unroll
  for (int j = 0; j < kTaps; ++j) {
    const int tap = j - (kTaps - taps);
    w[j] = there && tap >= 0 ? all[c * taps + tap] : 0.0f;
  }
}

/// Three instantiations serve all numbers of taps: Hyena's 3 (and less), 4, and 5 to 8.
inline int kernel_taps(std::int64_t taps) { return taps <= 3 ? 3 : taps == 4 ? 4 : 8; }

/// Calls launch.operator()<kTaps>() with kernel_taps(taps).
template <class Launch>
void with_kernel_taps(std::int64_t taps, const Launch& launch) {
  switch (kernel_taps(taps)) {
    case 3:
      return launch.template operator()<3>();
    case 4:
      return launch.template operator()<4>();
    default:
      return launch.template operator()<8>();
  }
}

inline long long ceil_div(long long a, long long b) { return (a + b - 1) / b; }

/// Sequences, channels and time steps are counted in 32 bits, elements in 64: `count` as an int.
/// Throws UnsupportedError, naming `what`, above 2^30.
int short_conv_count(std::int64_t count, const char* what);

/// A one-dimensional grid; throws UnsupportedError where CUDA has none so large.
unsigned short_conv_grid(long long blocks);

/// Bytes of `sets` partial sums of dw and dbias: float [sets, kernel_taps + 1, C].
std::int64_t short_conv_partial_bytes(long long sets, long long channels, std::int64_t taps);

/// dw [C, K] and dbias [C] (either may be nullptr) from their partial sums, added in a fixed order.
void short_conv_reduce(const float* partials, long long sets, long long channels, std::int64_t taps,
                       float* dw, float* dbias, Stream stream);

}  // namespace longconv::kernels::cuda
