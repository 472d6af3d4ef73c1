// The masked language model's head of BERT (arXiv:1810.04805; models.md 3.1):
//
//   logits = W LN(gelu(W_t hidden + b_t)) + b
//
// gelu is the erf form, the norm's epsilon 1e-12 whatever the model's; W is the embedding's rows
// (tied) or a tensor of its own. The columns include the padded vocabulary.
// Names, below `cls`: predictions.transform.{dense,LayerNorm}, predictions.decoder.{weight,bias}.
#pragma once

#include "models/layers/basic.h"

#include <memory>

namespace longconv::models {

class MaskedLanguageModelHead : public torch::nn::Module {
 public:
  /// `tied`: the embedding to read, which stays registered where it is; null for a weight of its
  /// own.
  MaskedLanguageModelHead(std::shared_ptr<const Embedding> tied, std::int64_t channels,
                          std::int64_t rows, const at::TensorOptions& options);

  /// N(0, std), if the weight is its own.
  void initialise(double std);
  /// hidden (.., D) -> (.., rows), in autocast's dtype where it is on.
  [[nodiscard]] at::Tensor forward(const at::Tensor& hidden) const;
  [[nodiscard]] bool is_tied() const { return tied_ != nullptr; }

 private:
  std::shared_ptr<const Embedding> tied_;
  std::shared_ptr<Linear> dense_;  ///< D -> D
  std::shared_ptr<LayerNorm> norm_;
  at::Tensor own_;   ///< (rows, D), undefined when tied
  at::Tensor bias_;  ///< (rows), starts as zeros
};

}  // namespace longconv::models
