// A linear layer whose matrix is block-diagonal, as batched matrix products (Monarch Mixer,
// arXiv:2310.12109):
//
//   y[.., b O + o] = bias[b O + o] + sum_i W[b,o,i] x[.., b I + i]      for each of the nb blocks b
//
// Blocks are contiguous slices of the last dimension, not shuffled. Inputs and results are read and
// written in place: no transposition has a pass of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace longconv::ops {

/// x (.., nb I): f64, f32, bf16 or f16; W (nb, O, I) and bias (nb O) may be wider and are rounded
/// to x's dtype. Returns (.., nb O) contiguous in x's dtype. dW comes in W's dtype (on a GPU
/// unrounded sums in float32), dbias likewise, summed in float32 or wider. Differentiable (twice).
/// Throws ShapeError.
at::Tensor block_linear(const at::Tensor& x, const at::Tensor& weight,
                        const std::optional<at::Tensor>& bias);

}  // namespace longconv::ops
