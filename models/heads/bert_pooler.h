// The pooler of BERT (arXiv:1810.04805; models.md 3.1), what a classifier or a search reads of a
// whole text:
//
//   first   tanh(W hidden[0] + b)              the first token, [CLS]
//   mean    tanh(W mean_t hidden[t] + b)       over the tokens before a row's padding
//
// Names, below `bert.pooler`: dense.{weight, bias}.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"

#include <memory>
#include <string>

namespace longconv::models {

class BertPooler : public torch::nn::Module {
 public:
  /// Reads d_model and head.pool. Throws ConfigError at head.pool for another pool than those two.
  BertPooler(const ModelConfig& config, const at::TensorOptions& options);
  /// hidden (B, L, D), lengths (B) int64 or undefined for whole rows -> (B, D).
  [[nodiscard]] at::Tensor forward(const at::Tensor& hidden, const at::Tensor& lengths) const;

 private:
  std::string pool_;
  std::shared_ptr<Linear> dense_;  ///< D -> D
};

}  // namespace longconv::models
