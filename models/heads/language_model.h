// The language model's head: logits = hidden W^T, no bias, W either the embedding's rows (tied) or
// a tensor of its own, `lm_head.weight`. The columns include the padded vocabulary (models.md 2.1).
#pragma once

#include "models/layers/basic.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include <memory>
#include <utility>

namespace longconv::models {

/// True ids rounded up to a multiple: the rows of the embedding, the columns of the logits.
inline std::int64_t padded_vocab(std::int64_t ids, std::int64_t multiple) {
  return (ids + multiple - 1) / multiple * multiple;
}

class LanguageModelHead : public torch::nn::Module {
 public:
  /// `tied`: the embedding to read, which stays registered where it is; null for a weight of its
  /// own.
  LanguageModelHead(std::shared_ptr<const Embedding> tied, std::int64_t channels, std::int64_t rows,
                    const at::TensorOptions& options)
      : tied_(std::move(tied)) {
    if (!tied_) own_ = register_parameter("weight", at::empty({rows, channels}, options).zero_());
  }

  /// N(0, std), if the weight is its own.
  void initialise(double std) {
    if (own_.defined()) own_.normal_(0.0, std);
  }

  /// hidden (B, L, D) -> (B, L, rows), in autocast's dtype where it is on.
  [[nodiscard]] at::Tensor forward(const at::Tensor& hidden) const {
    return at::linear(hidden, tied_ ? tied_->weight : own_);
  }
  [[nodiscard]] bool is_tied() const { return tied_ != nullptr; }

 private:
  std::shared_ptr<const Embedding> tied_;
  at::Tensor own_;  ///< (rows, D), undefined when tied
};

}  // namespace longconv::models
