// What LongConv does to its filters in each pass, in one reading of them, on raw pointers:
//
//   m[r,t] = mean of k[r, t - w/2 .. t + w/2], zeros outside          smooth
//   s      = sign(m) max(|m| - lambda, 0)                             squash
//   y      = s keep / (1 - p)                                         dropout
//
// (Simple long convolutions, arXiv:2302.06646, section 3.2.) keep is core/plan/philox.h's, a
// function of the seed and the tap's place, so backward draws it again. core/ops/tap_regulariser.h
// wraps the table for autograd; core/reference/tap_regulariser.h is its twin.
#pragma once

#include "core/base/dtype.h"

#include <cstdint>
#include <span>

namespace longconv::kernels {

inline constexpr std::int64_t kMaxSmoothWindow = 255;

/// One call. Tensors are contiguous and on one device; y does not overlap k.
struct TapRegulariserArgs {
  const void* k = nullptr;  ///< [R, T], dtype
  void* y = nullptr;        ///< [R, T], dtype
  std::int64_t rows = 0;
  std::int64_t taps = 0;
  std::int64_t window = 1;  ///< w: odd, 1 .. kMaxSmoothWindow
  double squash = 0.0;      ///< lambda >= 0
  double dropout = 0.0;     ///< p, in [0, 1)
  std::uint64_t seed = 0;   ///< of keep; not read if p = 0
  Dtype dtype = Dtype::f32;
};

/// Beside the inputs (`y` is not read). dk is written, not added to, and overlaps nothing.
struct TapRegulariserGradArgs {
  TapRegulariserArgs inputs;
  const void* dy = nullptr;  ///< [R, T] contiguous
  void* dk = nullptr;        ///< [R, T]
};

/// One way to run it. Asynchronous on `stream` (nullptr on the CPU); deterministic.
struct TapRegulariserVariant {
  const char* name;
  Device device;
  Dtype dtype;
  void (*forward)(const TapRegulariserArgs& args, Stream stream);
  void (*backward)(const TapRegulariserGradArgs& args, Stream stream);
};

/// The table, best first. Tests and benchmarks walk it too.
std::span<const TapRegulariserVariant> tap_regulariser_variants();

}  // namespace longconv::kernels
