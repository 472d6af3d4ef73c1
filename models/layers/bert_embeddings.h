// BERT's embeddings (arXiv:1810.04805; models.md 3.1):
//
//   x[t] = drop(LN(word[id_t] + token_type[type_t] + position[t]))
//
// Row 0 of the words is [PAD]: looking it up trains nothing.
// Names: word_embeddings, token_type_embeddings, position_embeddings, LayerNorm.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"

#include <memory>

namespace longconv::models {

class BertEmbeddings : public torch::nn::Module {
 public:
  /// `rows`: the padded vocabulary. Reads d_model, l_max, norm_eps, embed_dropout.
  BertEmbeddings(const ModelConfig& config, std::int64_t rows, const at::TensorOptions& options);
  /// ids (B, L) int64, L <= l_max; types likewise, 0 or 1, or undefined for all 0. -> (B, L, D)
  [[nodiscard]] at::Tensor forward(const at::Tensor& ids, const at::Tensor& types) const;
  /// N(0, std), the word of [PAD] 0 (models.md 3.4).
  void initialise(double std);
  [[nodiscard]] std::shared_ptr<const Embedding> words() const { return words_; }

 private:
  double dropout_;
  std::shared_ptr<Embedding> words_;      ///< (V, D)
  std::shared_ptr<Embedding> positions_;  ///< (l_max, D)
  std::shared_ptr<Embedding> types_;      ///< (2, D)
  std::shared_ptr<LayerNorm> norm_;
};

}  // namespace longconv::models
