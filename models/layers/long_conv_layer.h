// The layer of LongConv (arXiv:2302.06646; models.md 4.2), C filters an input channel:
//
//   y[b,c,h,:] = longconv(u[b,h,:], k[c,h]) + D[c,h] u[b,h,:]
//   out = glu(W drop(gelu(y flattened to C H features, c the slower)) + b)
//
// The convolution transforms by FFT, or with filter.transform = "butterfly" by two transforms that
// learn (4.6). Names: D, kernel.kernel, block_fft_u, block_fft_k (butterfly),
// output_linear.0.{weight, bias} (weight_norm: weight_g, weight_v, bias).
#pragma once

#include "models/config.h"
#include "models/layers/butterfly.h"
#include "models/layers/explicit_filter.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <memory>

namespace longconv::models {

class LongConvLayer : public torch::nn::Module {
 public:
  /// Reads d_model, l_max, filter, activation, postact, weight_norm, inner_dropout, resid_dropout.
  /// Throws ConfigError at the key's line.
  LongConvLayer(const ModelConfig& config, const at::TensorOptions& options);

  /// u (B, L, H), L <= l_max -> (B, L, H). `counts` (B, L) bool: steps before padding, the others
  /// are read as 0; undefined: all.
  [[nodiscard]] at::Tensor forward(const at::Tensor& u, const at::Tensor& counts) const;

  at::Tensor skip;  ///< D (C, H), starts N(0, 1)

 private:
  /// (B, C, H, L) of u (B, H, L), with the skip.
  [[nodiscard]] at::Tensor convolve(const at::Tensor& u) const;
  [[nodiscard]] at::Tensor project(const at::Tensor& y) const;

  std::string activation_;
  std::string postact_;
  std::string dropped_;  ///< model.inner_dropout
  double dropout_;
  std::shared_ptr<ExplicitFilter> filter_;
  std::shared_ptr<ButterflyTransform> of_u_;  ///< nullptr: FFT
  std::shared_ptr<ButterflyTransform> of_k_;  ///< the filter's; nullptr: FFT
  at::Tensor weight_;  ///< (O, C H), undefined without an output's Linear; its direction
  at::Tensor length_;  ///< (O, 1), the rows' lengths; undefined without weight norm
  at::Tensor bias_;    ///< (O)
};

/// Whole rows of x dropped while `training`: one mask for `shape`, which broadcasts to x.
at::Tensor drop_tied(const at::Tensor& x, at::IntArrayRef shape, double share, bool training);

}  // namespace longconv::models
