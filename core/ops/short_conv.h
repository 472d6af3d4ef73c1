// The short causal depthwise convolution with bias, with autograd (the "short filter" of Hyena,
// arXiv:2302.10866):
//
//   y[c,t] = bias[c] + sum_{j<K} w[c,j] u[c,t-(K-1)+j],   u[.,<0] = 0    (last tap = present step)
//
// Asks the table of core/kernels/short_conv.h first; its own last row `torch_conv1d` takes the
// rest.
#pragma once

#include "core/kernels/short_conv.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>

namespace longconv::ops {

/// u (B, C, L) contiguous or a transposed view of (B, L, C): f64, f32, bf16 or f16; w (C, K),
/// 1 <= K <= 8, and bias (C) in float32 (float64 with f64 u). Returns (B, C, L) contiguous in u's
/// dtype, sums in float32 or wider. Kernels give the gradient of u in u's layout. Differentiable
/// (twice).
/// Throws ShapeError.
at::Tensor short_conv(const at::Tensor& u, const at::Tensor& w,
                      const std::optional<at::Tensor>& bias);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) conv1d.
struct ShortConvRow {
  const char* name;
  const kernels::ShortConvVariant* variant;
  [[nodiscard]] bool takes(Device device, Dtype dtype) const;
};

/// The rows short_conv() chooses from, best first. Tests and benchmarks walk them.
std::span<const ShortConvRow> short_conv_rows();

/// short_conv() through the given row; throws UnsupportedError if it does not take u.
at::Tensor short_conv_with(const ShortConvRow& row, const at::Tensor& u, const at::Tensor& w,
                           const std::optional<at::Tensor>& bias);

}  // namespace longconv::ops
