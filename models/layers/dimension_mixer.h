// M2-BERT's dimension mixer (arXiv:2310.12109; models.md 3.1), with its residual and its norm:
//
//   g = W_gated x;   h = gelu(g[:I]) g[I:]   (or, without the gate, h = gelu(W_gated x))
//   y = LN(W_o drop(h) + b_o + x)
//
// gelu is the erf form. The matrices are block-diagonal with nb blocks, so the gating half comes
// from the first half of the blocks alone; with [model.mlp] blocks = 0 they are dense.
// Names: gated_layers.weight, wo.{weight,bias}, layernorm.{weight,bias}.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"
#include "models/layers/block_diagonal.h"

#include <memory>

namespace longconv::models {

class DimensionMixer : public torch::nn::Module {
 public:
  /// Reads d_model, the inner width, norm_eps and mlp.
  DimensionMixer(const ModelConfig& config, const at::TensorOptions& options);
  /// x (B, L, D) -> (B, L, D).
  at::Tensor forward(const at::Tensor& x) const;

 private:
  /// One of the two kinds.
  struct Matrix {
    std::shared_ptr<BlockDiagonal> blocks;
    std::shared_ptr<Linear> dense;
    [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
      return blocks ? blocks->forward(x) : dense->forward(x);
    }
  };
  Matrix make(const char* name, std::int64_t in, std::int64_t out, std::int64_t blocks,
              bool with_bias, const at::TensorOptions& options);

  std::int64_t inner_;
  bool glu_;
  double dropout_;
  Matrix gated_layers_;  ///< D -> 2 I, or I without the gate
  Matrix wo_;            ///< I -> D
  std::shared_ptr<LayerNorm> layernorm_;
};

}  // namespace longconv::models
