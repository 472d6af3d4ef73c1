// The blocks every family is made of: Linear, LayerNorm, Embedding, the two-layer MLP and the short
// causal convolution. Own modules instead of torch::nn's, for three reasons: the dtype and device
// are given at birth (so that a model of 1.3B parameters can be counted on the meta device), norms
// deliver the precision the next product wants, and including them costs 3 s less a unit.
//
// Parameters start as PyTorch's layers do (models.md 1.5); a family re-draws what it wants
// different.
#pragma once

#include "core/ops/short_conv_gate.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace longconv::models {

/// The dtype matrix products give for `x`: autocast's where it is on for x's device and x is
/// float32, else x's own.
at::ScalarType product_dtype(const at::Tensor& x);

/// y = x W^T + b over the last dimension; runs in autocast's dtype.
class Linear : public torch::nn::Module {
 public:
  Linear(std::int64_t in, std::int64_t out, bool with_bias, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight;  ///< (out, in)
  at::Tensor bias;    ///< (out), or undefined
};

/// (x - mean) / sqrt(biased variance + eps) * weight + bias over the last dimension. Computed in
/// the weights' dtype, delivered in product_dtype (bf16 under autocast).
class LayerNorm : public torch::nn::Module {
 public:
  LayerNorm(std::int64_t channels, double eps, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight;  ///< (D), starts as ones
  at::Tensor bias;    ///< (D), starts as zeros

 private:
  double eps_;
};

/// ids (...) int64 -> rows (..., D).
class Embedding : public torch::nn::Module {
 public:
  /// Looking up `padding_id` gives its row but no gradient to it; -1: there is no such id.
  Embedding(std::int64_t rows, std::int64_t channels, const at::TensorOptions& options,
            std::int64_t padding_id = -1);
  at::Tensor forward(const at::Tensor& ids) const;

  at::Tensor weight;  ///< (rows, D)

 private:
  std::int64_t padding_id_;
};

/// fc2(gelu_tanh(fc1 x)), both with bias.
class Mlp : public torch::nn::Module {
 public:
  Mlp(std::int64_t channels, std::int64_t inner, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x) const;

  std::shared_ptr<Linear> fc1;  ///< D -> inner
  std::shared_ptr<Linear> fc2;  ///< inner -> D
};

/// Depthwise causal convolution with bias of Hyena's projection, with its split and its first gate
/// or alone; last tap = present step.
class ShortConv : public torch::nn::Module {
 public:
  ShortConv(std::int64_t channels, std::int64_t taps, const at::TensorOptions& options);
  /// p (B, L, C), C = (order + 1) D -> x_0, .., x_{N-2} and x_{N-1} v, time last.
  ops::GatedParts forward(const at::Tensor& p, std::int64_t order) const;
  /// The convolution alone: p (B, L, C) -> (B, C, L), time last.
  at::Tensor convolve(const at::Tensor& p) const;

  at::Tensor weight;  ///< (C, 1, K), the shape of a depthwise Conv1d
  at::Tensor bias;    ///< (C)
};

/// What replaces attention in a block: (B, L, D) -> (B, L, D).
class Mixer : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& u) = 0;
};

/// Element-wise dropout while `training`; returns x itself when there is nothing to drop.
at::Tensor drop(const at::Tensor& x, double share, bool training);

}  // namespace longconv::models
