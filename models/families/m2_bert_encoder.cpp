#include "models/families/m2_bert_encoder.h"

#include "core/base/check.h"
#include "models/heads/language_model.h"
#include "models/layers/dimension_mixer.h"
#include "models/layers/sequence_mixer.h"

#include <ATen/core/grad_mode.h>

namespace longconv::models {

class M2BertLayer final : public torch::nn::Module {
 public:
  M2BertLayer(const ModelConfig& config, const at::TensorOptions& options) {
    attention_ = register_module("attention", std::make_shared<SequenceMixer>(config, options));
    mlp_ = register_module("mlp", std::make_shared<DimensionMixer>(config, options));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    return mlp_->forward(attention_->forward(x));
  }

 private:
  std::shared_ptr<SequenceMixer> attention_;  // its published name
  std::shared_ptr<DimensionMixer> mlp_;
};

M2BertEncoder::M2BertEncoder(const ModelConfig& config, bool with_pooler,
                             const at::TensorOptions& options)
    : vocab_size_(config.vocab_size()),
      padded_vocab_size_(padded_vocab(config.vocab_size(), config.pad_vocab_multiple())),
      l_max_(config.l_max()) {
  if (config.d_input() > 0) {
    config.d_input.fail("family m2_bert takes ids, and no series of numbers; expected 0");
  }
  if (config.soft_prompt() > 0) {
    config.soft_prompt.fail("family m2_bert has no soft prompt; expected 0");
  }
  if (vocab_size_ < 1) config.vocab_size.fail("the number of token ids must be set");
  if (l_max_ < 1) config.l_max.fail("the longest input must be set, e.g. 128");
  embeddings_ = register_module(
      "embeddings", std::make_shared<BertEmbeddings>(config, padded_vocab_size_, options));
  const auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
  const auto layers = encoder->register_module("layer", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < config.n_layers(); ++i) {
    layers_.push_back(
        layers->register_module(std::to_string(i), std::make_shared<M2BertLayer>(config, options)));
  }
  if (with_pooler) {
    pooler_ = register_module("pooler", std::make_shared<BertPooler>(config, options));
  }
}

at::Tensor M2BertEncoder::forward(const Input& input) const {
  const at::Tensor& ids = input.values;
  LONGCONV_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong, ShapeError,
                 "m2_bert: ids must be [B, L] int64, got [{}] {}", fmt::join(ids.sizes(), ", "),
                 at::toString(ids.scalar_type()));
  LONGCONV_CHECK(ids.size(1) <= l_max_, ConfigError,
                 "m2_bert: the input has {} tokens, but positions and filters were built for "
                 "model.l_max = {}; shorten the input (data.seq_len) or extend the model",
                 ids.size(1), l_max_);
  at::Tensor x = embeddings_->forward(ids, input.types);
  for (const auto& layer : layers_) x = layer->forward(x);
  return x;
}

void M2BertEncoder::initialise(torch::nn::Module& model, const ModelConfig& config) {
  const at::NoGradGuard no_grad;
  const double std = config.init_std();
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    if (const auto linear = std::dynamic_pointer_cast<Linear>(item.value())) {
      linear->weight.normal_(0.0, std);
      if (linear->bias.defined()) linear->bias.zero_();
    }
  }
  embeddings_->initialise(std);
  if (config.same_layers()) copy_first_layer();
}

/// The published encoder copied one layer before its Linears were drawn again: what that pass
/// leaves alone starts the same everywhere.
void M2BertEncoder::copy_first_layer() {
  const auto first = layers_.front()->named_parameters();
  for (std::size_t i = 1; i < layers_.size(); ++i) {
    for (auto& parameter : layers_[i]->named_parameters()) {
      const std::string& name = parameter.key();
      const bool drawn_again = name.find("_linear.") != std::string::npos ||
                               name.find(".implicit_filter") != std::string::npos;
      if (!drawn_again) parameter->copy_(first[name]);
    }
  }
}

std::vector<ParameterOverride> m2_bert_overrides(const torch::nn::Module& model,
                                                 const FilterConfig& filter) {
  std::vector<ParameterOverride> out;
  for (const auto& parameter : model.named_parameters()) {
    const std::string& name = parameter.key();
    const bool is_filter = name.find(".attention.filter_fn") != std::string::npos;
    if (filter.lr() > 0.0 && is_filter && name.find(".implicit_filter") != std::string::npos) {
      out.push_back({name, filter.lr(), filter.weight_decay()});
    } else if (filter.lr_positions() > 0.0 && is_filter && name.ends_with(".pos_emb.z")) {
      out.push_back({name, filter.lr_positions(), 0.0});
    }
  }
  return out;
}

}  // namespace longconv::models
