// What LongConv does to its filters in each pass, with autograd (arXiv:2302.06646, section 3.2):
// smoothing over time, squash (a soft threshold), dropout of taps, in this order.
//
// Asks the table of core/kernels/tap_regulariser.h first; its own last row `torch` takes the rest.
#pragma once

#include "core/kernels/tap_regulariser.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace longconv::ops {

struct TapRegulariser {
  std::int64_t window = 1;  ///< taps of a moving average, odd; 1 for none. Zeros outside count
  double squash = 0.0;      ///< lambda >= 0
  double dropout = 0.0;     ///< share of taps set to 0, the others / (1 - share); in [0, 1]
};

/// k (..., T), f32 or f64 -> the same shape. Taps with |average| <= lambda get no gradient. With
/// dropout the kernels' rows draw a seed from LibTorch's generator of the CPU, whatever the device
/// (so a CUDA graph repeats the mask it was captured with), the row `torch` masks of the device's.
/// Differentiable (twice). Throws ShapeError.
at::Tensor regularise_taps(const at::Tensor& k, const TapRegulariser& how);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) LibTorch.
struct TapRegulariserRow {
  const char* name;
  const kernels::TapRegulariserVariant* variant;
  [[nodiscard]] bool takes(const at::Tensor& k, const TapRegulariser& how) const;
};

/// The rows regularise_taps() chooses from, best first. Tests and benchmarks walk them.
std::span<const TapRegulariserRow> tap_regulariser_rows();

/// regularise_taps() through the given row; throws UnsupportedError if it does not take k.
at::Tensor regularise_taps_with(const TapRegulariserRow& row, const at::Tensor& k,
                                const TapRegulariser& how);

}  // namespace longconv::ops
