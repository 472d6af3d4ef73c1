// The encoder of M2-BERT (Monarch Mixer, arXiv:2310.12109; models.md 3.1):
//
//   x = Embeddings(ids, types)
//   x = DimensionMixer_i(SequenceMixer_i(x))      for every layer
//   hidden = x
//
// No residual and no norm around the sequence mixer: its residual long convolution is the only way
// past it. The dimension mixer has a norm behind it. Heads are in families/m2_bert.cpp.
// Names, below `bert`: embeddings, encoder.layer.{i}.{attention, mlp}, pooler (where there is one).
#pragma once

#include "models/heads/bert_pooler.h"
#include "models/layers/bert_embeddings.h"
#include "models/model.h"

#include <memory>
#include <vector>

namespace longconv::models {

class M2BertLayer;

class M2BertEncoder : public torch::nn::Module {
 public:
  /// Throws ConfigError at the key.
  M2BertEncoder(const ModelConfig& config, bool with_pooler, const at::TensorOptions& options);

  /// (B, L, D) of ids (B, L) int64 and types. Throws ConfigError if L > l_max, ShapeError.
  [[nodiscard]] at::Tensor forward(const Input& input) const;
  /// (B, D) of hidden states, with the pooler.
  [[nodiscard]] at::Tensor pool(const at::Tensor& hidden, const at::Tensor& lengths) const {
    return pooler_->forward(hidden, lengths);
  }

  [[nodiscard]] std::shared_ptr<const Embedding> words() const { return embeddings_->words(); }
  [[nodiscard]] std::int64_t vocab_size() const { return vocab_size_; }
  [[nodiscard]] std::int64_t padded_vocab_size() const { return padded_vocab_size_; }
  [[nodiscard]] std::int64_t l_max() const { return l_max_; }

  /// models.md 3.4, of `model` that has this encoder: every Linear (the filter MLPs' and the heads'
  /// too) and the embeddings N(0, std), their biases 0. Block-diagonal matrices, short filters,
  /// skips and norms keep what their constructors gave, or with model.same_layers what those of the
  /// first layer gave.
  void initialise(torch::nn::Module& model, const ModelConfig& config);

 private:
  void copy_first_layer();

  std::int64_t vocab_size_;
  std::int64_t padded_vocab_size_;
  std::int64_t l_max_;
  std::shared_ptr<BertEmbeddings> embeddings_;
  std::vector<std::shared_ptr<M2BertLayer>> layers_;
  std::shared_ptr<BertPooler> pooler_;
};

/// As published, none (the encoder's copies of its layer lost them, models.md 3.5): a filter trains
/// like everything else unless it is given a rate of its own.
std::vector<ParameterOverride> m2_bert_overrides(const torch::nn::Module& model,
                                                 const FilterConfig& filter);

}  // namespace longconv::models
