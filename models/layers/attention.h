// Causal multi-head attention, for the hybrids of models.md 2.7:
//
//   q, k, v = split(W_qkv x + b)    packed as (3, heads, head_dim)
//   y = W_out softmax(q k^T / sqrt(head_dim) + causal mask) v + b_out
//
// With rotary_dim > 0 the first rotary_dim dimensions of each head's q and k are rotated by their
// position (RoFormer, arXiv:2104.09864, base 10000; pairs are (i, i + rotary_dim / 2)).
// Names: Wqkv, out_proj.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"

namespace longconv::models {

class CausalAttention : public Mixer {
 public:
  /// Reads d_model and attention. Throws ConfigError at the key's line.
  CausalAttention(const ModelConfig& config, const at::TensorOptions& options);

  /// x (B, L, D) -> (B, L, D), any L.
  at::Tensor forward(const at::Tensor& x) override;

 private:
  /// (B, heads, L, head_dim) with its first rotary_dim dimensions rotated.
  [[nodiscard]] at::Tensor rotate(const at::Tensor& x) const;

  std::int64_t channels_;
  std::int64_t heads_;
  std::int64_t rotary_dim_;
  double dropout_;
  std::shared_ptr<Linear> qkv_;
  std::shared_ptr<Linear> out_proj_;
};

}  // namespace longconv::models
