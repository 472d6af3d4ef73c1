// The body that Hyena-GPT, HyenaDNA and H3 with long convolutions share (models.md 2.1, 4.5): a
// pre-norm residual stack without positional embedding,
//
//   r = drop_embed(Emb[ids])
//   r = r + drop_resid(Mixer_i(LN1_i(r)));  r = r + drop_resid(Mlp_i(LN2_i(r)))    for every layer
//   hidden = LN_f(r)
//
// The mixer is the Hyena operator, or that of the H3-style long-convolution model, or causal
// attention in the layers that [model.attention] names. Heads are in families/hyena.cpp.
// Names, below `backbone`: embeddings.word_embeddings, layers.{i}.{mixer, norm1, mlp, norm2}, ln_f.
#pragma once

#include "models/layers/basic.h"
#include "models/model.h"

#include <memory>
#include <vector>

namespace longconv::models {

/// A block of the stack, defined where it is built.
class HyenaBlock;

class HyenaBackbone : public torch::nn::Module {
 public:
  /// Initialised as models.md 2.4 has it. Throws ConfigError at the key.
  HyenaBackbone(const ModelConfig& config, const at::TensorOptions& options);

  /// ids (B, L) int64 -> (B, L, D). With `prompt` (n, D), vectors before every row's first token,
  /// which have no hidden states of their own in the result. Throws ConfigError if n + L >
  /// longest(), ShapeError.
  [[nodiscard]] at::Tensor forward(const at::Tensor& ids, const at::Tensor& prompt = {}) const;

  [[nodiscard]] const std::shared_ptr<Embedding>& embedding() const { return embedding_; }
  [[nodiscard]] std::int64_t vocab_size() const { return vocab_size_; }
  [[nodiscard]] std::int64_t padded_vocab_size() const { return padded_vocab_size_; }
  [[nodiscard]] std::int64_t longest() const { return longest_; }  ///< tokens of an input

 private:
  void initialise(double std, std::int64_t n_layers);

  std::int64_t vocab_size_;
  std::int64_t padded_vocab_size_;
  std::int64_t l_max_;
  std::int64_t longest_;
  double embed_dropout_;
  bool residual_in_fp32_;
  std::shared_ptr<Embedding> embedding_;
  std::vector<std::shared_ptr<HyenaBlock>> blocks_;
  std::shared_ptr<LayerNorm> ln_f_;
};

/// The learning rates and weight decays that filters and positions have of their own (models.md
/// 0.5), of a model with this backbone.
std::vector<ParameterOverride> hyena_overrides(const torch::nn::Module& model,
                                               const FilterConfig& filter);

}  // namespace longconv::models
