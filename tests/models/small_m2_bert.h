// The small M2-BERT of the published goldens (models.md 8.4): D 8, I 16, 2 layers, 4 blocks.
#pragma once

#include "models/layers/dimension_mixer.h"
#include "models/layers/sequence_mixer.h"
#include "tests/models/small_models.h"

#include <memory>
#include <string>
#include <vector>

namespace longconv::testing {

inline void configure_m2_bert(models::ModelConfig& config) {
  config.family.set("m2_bert");
  config.head.kind.set("mlm");
  config.d_model.set(8);
  config.n_layers.set(2);
  config.d_inner.set(16);
  config.l_max.set(12);
  config.vocab_size.set(16);
  config.norm_eps.set(1e-12);
  config.filter.emb_dim.set(5);
  config.filter.width.set(8);
  config.filter.sine_freq.set(10.0);
  config.filter.bidirectional.set(true);
}

/// What a filter has, in the goldens' order.
inline std::vector<std::string> m2_filter_names(const std::string& filter) {
  std::vector<std::string> out = {filter + "bias"};
  for (const char* mlp : {"implicit_filter.", "implicit_filter_rev."}) {
    for (const char* name :
         {"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias", "6.weight"}) {
      out.push_back(filter + mlp + name);
    }
  }
  return out;
}

/// The 92 tensors in the goldens' order.
inline std::vector<std::string> m2_bert_names() {
  const std::string embeddings = "bert.embeddings.";
  std::vector<std::string> out = {embeddings + "word_embeddings.weight",
                                  embeddings + "position_embeddings.weight",
                                  embeddings + "token_type_embeddings.weight",
                                  embeddings + "LayerNorm.weight", embeddings + "LayerNorm.bias"};
  for (int i = 0; i < 2; ++i) {
    const std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    for (const char* filter : {"attention.filter_fn.", "attention.filter_fn2."}) {
      for (const std::string& name : m2_filter_names(layer + filter)) out.push_back(name);
    }
    for (const char* name :
         {"attention.in_linear.weight", "attention.in_linear.bias", "attention.out_linear.weight",
          "attention.out_linear.bias", "attention.short_filter.weight",
          "attention.short_filter.bias", "mlp.gated_layers.weight", "mlp.wo.weight", "mlp.wo.bias",
          "mlp.layernorm.weight", "mlp.layernorm.bias"}) {
      out.push_back(layer + name);
    }
  }
  const std::string head = "cls.predictions.";
  for (const char* name :
       {"transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight",
        "transform.LayerNorm.bias", "decoder.bias"}) {
    out.push_back(head + name);
  }
  return out;
}

/// G7; `strong` is G7s.
inline std::shared_ptr<models::Model> golden_m2_bert(bool strong,
                                                     const at::TensorOptions& options) {
  models::ModelConfig config;
  configure_m2_bert(config);
  auto model = models::build(config, options);
  fill(*model, m2_bert_names(), strong);
  model->eval();
  return model;
}

/// A submodule by its name in the model.
template <class Module>
std::shared_ptr<Module> submodule(const torch::nn::Module& model, const std::string& name) {
  return std::dynamic_pointer_cast<Module>(model.named_modules()[name]);
}

/// Labels of the goldens' loss: the ids at positions 1, 4, 7, 10, elsewhere -100.
inline at::Tensor m2_labels(const at::Tensor& ids) {
  at::Tensor labels = at::full_like(ids, -100);
  for (const std::int64_t t : {1, 4, 7, 10}) labels.select(1, t).copy_(ids.select(1, t));
  return labels;
}

/// Mean cross-entropy over labels > 0.
inline at::Tensor masked_loss(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(as_wide(logits).flatten(0, 1), labels.flatten());
}

}  // namespace longconv::testing
