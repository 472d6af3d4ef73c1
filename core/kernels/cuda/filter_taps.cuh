// A filter by lags, whatever the mode: what the kernels that read taps have in common.
#pragma once

#include "core/kernels/long_conv.h"

#include <algorithm>
#include <cstdint>

namespace longconv::kernels::cuda {

/// One channel's taps. Lag d weighs the input d steps ago; negative lags look ahead.
struct FilterTaps {
  const float* k;
  const float* k_reverse;
  int taps;          // min(K, L)
  int reverse_taps;  // as they reach an output
  int length;
  ConvMode mode;

  /// The weight of lag -m, 1 <= m < L.
  __device__ float reverse(int m) const {
    switch (mode) {
      case ConvMode::causal:
        return 0.0F;
      case ConvMode::bidirectional:
        return m - 1 < reverse_taps ? k_reverse[m - 1] : 0.0F;
      case ConvMode::conjugate:
        return m < reverse_taps ? k_reverse[m] : 0.0F;
      case ConvMode::circular:
        return length - m < taps ? k[length - m] : 0.0F;
    }
    return 0.0F;
  }
  /// The weight of lag d, |d| < L.
  __device__ float at_lag(int d) const {
    if (d < 0) return reverse(-d);
    const float x = d < taps ? k[d] : 0.0F;
    return d == 0 && mode == ConvMode::conjugate && reverse_taps > 0 ? x + k_reverse[0] : x;
  }
};

/// Point n of a filter as a polynomial modulo x^M = i, M = points: a tap of lag d is k[d] x^d, and
/// one of lag -m, as x^-m = -i x^(M-m), -i r[m] x^(M-m).
__device__ inline float2 ring_point(const FilterTaps& taps, int points, int n) {
  // No branch before the load of a causal tap: loads of many n go together.
  float2 x = {n < taps.taps ? taps.k[n] : 0.0F, 0.0F};
  if (taps.mode == ConvMode::causal) return x;
  if (n == 0) return {taps.at_lag(0), 0.0F};
  const int m = points - n;
  if (m < taps.length) x.y = -taps.reverse(m);
  return x;
}

/// Whether a filter has reverse taps of its own.
inline bool has_reverse(ConvMode mode) {
  return mode == ConvMode::bidirectional || mode == ConvMode::conjugate;
}

/// Where the taps of a call's channels are.
struct FilterRows {
  const float* k;          // [C H, K]
  const float* k_reverse;  // [C H, K'], or nullptr
  std::int64_t stride;     // K
  std::int64_t reverse_stride;
  int taps;
  int reverse_taps;
  int length;
  ConvMode mode;

  explicit FilterRows(const LongConvArgs& args)
      : k(static_cast<const float*>(args.k)),
        k_reverse(has_reverse(args.mode) ? static_cast<const float*>(args.k_reverse) : nullptr),
        stride(args.taps),
        reverse_stride(args.reverse_taps),
        taps(static_cast<int>(std::min(args.taps, args.length))),
        reverse_taps(
            k_reverse == nullptr ? 0 : static_cast<int>(std::min(args.reverse_taps, args.length))),
        length(static_cast<int>(args.length)),
        mode(args.mode) {}

  __device__ FilterTaps row(std::int64_t h) const {
    return {k + h * stride, k_reverse == nullptr ? nullptr : k_reverse + h * reverse_stride,
            taps,           reverse_taps,
            length,         mode};
  }
  /// Of the same channel, from a copy of k's taps and then k_reverse's.
  __device__ FilterTaps copied(const float* copy) const {
    return {copy, k_reverse == nullptr ? nullptr : copy + taps, taps, reverse_taps, length, mode};
  }
  [[nodiscard]] int copied_floats() const { return taps + reverse_taps; }
};

}  // namespace longconv::kernels::cuda
