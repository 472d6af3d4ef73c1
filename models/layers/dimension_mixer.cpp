#include "models/layers/dimension_mixer.h"

#include <ATen/ops/gelu.h>

namespace longconv::models {

DimensionMixer::DimensionMixer(const ModelConfig& config, const at::TensorOptions& options)
    : inner_(config.inner_width()), glu_(config.mlp.glu()), dropout_(config.mlp.dropout()) {
  const std::int64_t d = config.d_model();
  const std::int64_t blocks = config.mlp.blocks();
  gated_layers_ = make("gated_layers", d, glu_ ? 2 * inner_ : inner_, blocks, false, options);
  wo_ = make("wo", inner_, d, blocks, true, options);
  layernorm_ =
      register_module("layernorm", std::make_shared<LayerNorm>(d, config.norm_eps(), options));
}

DimensionMixer::Matrix DimensionMixer::make(const char* name, std::int64_t in, std::int64_t out,
                                            std::int64_t blocks, bool with_bias,
                                            const at::TensorOptions& options) {
  Matrix made;
  if (blocks > 0) {
    made.blocks =
        register_module(name, std::make_shared<BlockDiagonal>(in, out, blocks, with_bias, options));
  } else {
    made.dense = register_module(name, std::make_shared<Linear>(in, out, with_bias, options));
  }
  return made;
}

at::Tensor DimensionMixer::forward(const at::Tensor& x) const {
  const at::Tensor g = gated_layers_.forward(x);
  const at::Tensor h =
      glu_ ? at::gelu(g.narrow(-1, 0, inner_)) * g.narrow(-1, inner_, inner_) : at::gelu(g);
  return layernorm_->forward(wo_.forward(drop(h, dropout_, is_training())) + x);
}

}  // namespace longconv::models
