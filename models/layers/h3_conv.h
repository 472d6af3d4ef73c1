// The mixer of the H3-style long-convolution language model (arXiv:2302.06646; models.md 4.5), two
// explicit filters in place of H3's state spaces:
//
//   q, k, v = W_q u + b_q, W_k u + b_k, W_v u + b_v
//   k <- conv(k, kappa_1) + d_1 k;   y = conv(k v, kappa_2) + d_2 k v
//   out = W_o (q y) + b_o
//
// Names: q_proj, k_proj, v_proj, k_kernel.kernel, k_D, kernel.kernel, D, output_linear.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"
#include "models/layers/explicit_filter.h"

#include <memory>

namespace longconv::models {

class H3Conv : public Mixer {
 public:
  /// Reads d_model, l_max and the explicit keys of filter; heads of one dimension. Throws
  /// ConfigError at the key's line for filters that look ahead.
  H3Conv(const ModelConfig& config, const at::TensorOptions& options);

  /// u (B, L, D), L <= l_max -> (B, L, D).
  at::Tensor forward(const at::Tensor& u) override;

 private:
  std::shared_ptr<Linear> q_proj_;
  std::shared_ptr<Linear> k_proj_;
  std::shared_ptr<Linear> v_proj_;
  std::shared_ptr<ExplicitFilter> k_kernel_;
  std::shared_ptr<ExplicitFilter> kernel_;
  at::Tensor k_skip_;  ///< (D)
  at::Tensor skip_;    ///< (D)
  std::shared_ptr<Linear> output_linear_;
};

}  // namespace longconv::models
