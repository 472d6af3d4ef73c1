// Layer normalisation over the last dimension that delivers the dtype the next product wants, with
// autograd:
//
//   y = (x - mean) / sqrt(biased variance + eps) * weight + bias
//
// Asks the table of core/kernels/layer_norm.h first; its own last row `torch` takes the rest.
#pragma once

#include "core/kernels/layer_norm.h"

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <span>

namespace longconv::ops {

/// x (.., D) in float32 (or wider), weight and bias (D) like x -> (.., D) in `delivered`, a
/// floating dtype. Statistics and sums run in x's dtype. Differentiable (twice). Throws ShapeError.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps, at::ScalarType delivered);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) LibTorch.
struct LayerNormRow {
  const char* name;
  const kernels::LayerNormVariant* variant;
  [[nodiscard]] bool takes(const at::Tensor& x, at::ScalarType delivered) const;
};

/// The rows layer_norm() chooses from, best first. Tests and benchmarks walk them.
std::span<const LayerNormRow> layer_norm_rows();

/// layer_norm() through the given row; throws UnsupportedError if it does not take x.
at::Tensor layer_norm_with(const LayerNormRow& row, const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, at::ScalarType delivered);

}  // namespace longconv::ops
