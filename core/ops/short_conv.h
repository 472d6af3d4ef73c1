// The short causal depthwise convolution with bias, with autograd (models.md calls it short conv):
//
//   y[c,t] = bias[c] + sum_{j<K} w[c,j] u[c,t-(K-1)+j],   u[.,<0] = 0    (last tap = present step)
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace longconv::ops {

/// u (B, C, L) contiguous or a transposed view of (B, L, C); w (C, K), 1 <= K <= 8; bias (C).
/// Returns (B, C, L) in u's dtype, sums in float32 or wider. Throws ShapeError.
at::Tensor short_conv(const at::Tensor& u, const at::Tensor& w,
                      const std::optional<at::Tensor>& bias);

}  // namespace longconv::ops
