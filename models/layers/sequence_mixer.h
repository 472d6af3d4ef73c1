// M2-BERT's sequence mixer (arXiv:2310.12109; models.md 3.1): the Hyena operator of order 2 with a
// long convolution over past and future,
//
//   x1, x2, v = split(short_conv(W_in u + b_in))       (the short filter is causal all the same)
//   y = x2 (conv(kf, kr; x1 v) + d x1 v)
//   y = y + conv(kf2, kr2; u) + d2 u                    (the residual long convolution, ungated)
//   out = W_out y + b_out
//
// The chunks' order differs from Hyena's, where the first is the last gate. With mixer_norm, u is
// LayerNorm(u) throughout. Nothing masks padding: it is part of the sequence.
// Names: in_linear, short_filter, filter_fn, filter_fn2 (hyena_filter.h), out_linear, layernorm.
#pragma once

#include "models/layers/hyena_filter.h"

#include <memory>

namespace longconv::models {

class SequenceMixer : public Mixer {
 public:
  /// Reads d_model, l_max, filter, short_filter, residual_long_conv and mixer_norm. Throws
  /// ConfigError at the key's line.
  SequenceMixer(const ModelConfig& config, const at::TensorOptions& options);

  /// u (B, L, D) -> (B, L, D). Throws ShapeError if L > l_max: the filters have no taps there.
  at::Tensor forward(const at::Tensor& u) override;

 private:
  std::int64_t channels_;
  std::int64_t l_max_;
  std::shared_ptr<LayerNorm> layernorm_;  ///< null: none
  std::shared_ptr<Linear> in_linear_;     ///< D -> 3 D
  std::shared_ptr<ShortConv> short_filter_;
  std::shared_ptr<HyenaFilter> filter_fn_;
  std::shared_ptr<HyenaFilter> filter_fn2_;  ///< null: no residual long convolution
  std::shared_ptr<Linear> out_linear_;       ///< D -> D
};

}  // namespace longconv::models
