// Norms of a residual stream x (B, L, D), by model.norm:
//
//   layer    over D: (x - mean) / sqrt(var + eps) gamma + beta
//   batch    over B and L, for each of D (BatchNorm1d, momentum 0.1), padded steps counted or not
//   scalar   over D: (s / sigma) (x - mean + m), s and m one number each, no eps (quirk LC-5)
//
// Names: norm.{weight, bias}, batch also norm.{running_mean, running_var, num_batches_tracked};
// scalar norm.{m, s}.
#pragma once

#include "models/config.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <memory>

namespace longconv::models {

class SequenceNorm : public torch::nn::Module {
 public:
  /// x (B, L, D) -> the same; `counts` (B, L) bool marks steps before padding, undefined: all.
  /// Computed in the weights' dtype, delivered in product_dtype.
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& counts) = 0;
};

/// Reads d_model, norm, norm_eps and norm_counts_padding.
std::shared_ptr<SequenceNorm> make_norm(const ModelConfig& config,
                                        const at::TensorOptions& options);

}  // namespace longconv::models
