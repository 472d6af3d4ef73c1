#include "models/layers/bert_embeddings.h"

#include <ATen/core/grad_mode.h>

namespace longconv::models {
namespace {
constexpr std::int64_t kPad = 0;
constexpr std::int64_t kTokenTypes = 2;
}  // namespace

BertEmbeddings::BertEmbeddings(const ModelConfig& config, std::int64_t rows,
                               const at::TensorOptions& options)
    : dropout_(config.embed_dropout()) {
  const std::int64_t d = config.d_model();
  words_ = register_module("word_embeddings", std::make_shared<Embedding>(rows, d, options, kPad));
  positions_ = register_module("position_embeddings",
                               std::make_shared<Embedding>(config.l_max(), d, options));
  types_ = register_module("token_type_embeddings",
                           std::make_shared<Embedding>(kTokenTypes, d, options));
  norm_ = register_module("LayerNorm", std::make_shared<LayerNorm>(d, config.norm_eps(), options));
}

at::Tensor BertEmbeddings::forward(const at::Tensor& ids, const at::Tensor& types) const {
  const at::Tensor type = types.defined() ? types_->forward(types) : types_->weight.narrow(0, 0, 1);
  const at::Tensor position = positions_->weight.narrow(0, 0, ids.size(1));
  return drop(norm_->forward(words_->forward(ids) + type + position), dropout_, is_training());
}

void BertEmbeddings::initialise(double std) {
  const at::NoGradGuard no_grad;
  for (const auto& table : {words_, positions_, types_}) table->weight.normal_(0.0, std);
  words_->weight.narrow(0, kPad, 1).zero_();
}

}  // namespace longconv::models
