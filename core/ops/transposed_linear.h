// A linear layer over channels that are not the last dimension:
//
//   y[b,t,o] = bias[o] + sum_d W[o,d] v[b,d,t]
//
// The output projection of an operator whose convolutions keep time last: v is a transposed operand
// of the matrix product, so that no transposition has a pass of its own.
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::ops {

/// v (B, D, L) contiguous, W (O, D), bias (O) -> (B, L, O) in v's dtype; W and bias may be wider
/// and are rounded to it. dv comes (B, D, L) contiguous; dW comes in W's dtype (on a GPU unrounded
/// sums in float32), dbias likewise, summed in float32 or wider. Differentiable (twice). Throws
/// ShapeError.
at::Tensor transposed_linear(const at::Tensor& v, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace longconv::ops
