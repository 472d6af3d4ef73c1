// The Hyena operator of order N (arXiv:2302.10866, definition 3.1; models.md 1.1):
//
//   x_0, .., x_{N-1}, v = split(short_conv(W_in u + b_in))
//   for o = 0 .. N-2:  v <- conv(k_o, x_{N-1-o} v) + d_o x_{N-1-o} v
//   y = W_out (x_0 v) + b_out
//
// Order 2 reads y = W_out (x_0 (k * (x_1 v) + d x_1 v)) + b_out.
// Names: in_proj, short_filter, filter_fn (hyena_filter.h), out_proj.
#pragma once

#include "models/layers/hyena_filter.h"

namespace longconv::models {

class HyenaOperator : public Mixer {
 public:
  /// Reads d_model, order, l_max, filter and short_filter. Throws ConfigError at the key's line.
  HyenaOperator(const ModelConfig& config, const at::TensorOptions& options);

  /// u (B, L, D) -> (B, L, D). Throws ShapeError if L > l_max, where filters have no taps, unless
  /// filter.max_taps ends them: y[t] then sums over that many steps, at any L (5.8).
  at::Tensor forward(const at::Tensor& u) override;

 private:
  std::int64_t channels_;
  std::int64_t l_max_;
  std::int64_t max_taps_;            ///< 0: as many as the input has steps
  std::shared_ptr<Linear> in_proj_;  ///< D -> (N + 1) D
  std::shared_ptr<ShortConv> short_filter_;
  std::shared_ptr<HyenaFilter> filter_fn_;
  std::shared_ptr<Linear> out_proj_;  ///< D -> D
};

}  // namespace longconv::models
