// M2-BERT (Monarch Mixer, arXiv:2310.12109; models.md section 3), an encoder:
//
//   x = Embeddings(ids, types)
//   x = DimensionMixer_i(SequenceMixer_i(x))      for every layer
//   hidden = x
//
// No residual and no norm around the sequence mixer: its residual long convolution is the only way
// past it. The dimension mixer has a norm behind it. The head predicts masked tokens.

#include "core/base/check.h"
#include "models/families/registry.h"
#include "models/heads/language_model.h"
#include "models/heads/masked_language_model.h"
#include "models/layers/bert_embeddings.h"
#include "models/layers/dimension_mixer.h"
#include "models/layers/sequence_mixer.h"

#include <ATen/core/grad_mode.h>

namespace longconv::models {
namespace {

class Layer final : public torch::nn::Module {
 public:
  Layer(const ModelConfig& config, const at::TensorOptions& options) {
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

class M2Bert final : public LanguageModel, public HasAliases {
 public:
  M2Bert(const ModelConfig& config, const at::TensorOptions& options)
      : vocab_size_(config.vocab_size()),
        padded_vocab_size_(padded_vocab(config.vocab_size(), config.pad_vocab_multiple())),
        l_max_(config.l_max()),
        filter_lr_(config.filter.lr()),
        filter_weight_decay_(config.filter.weight_decay()),
        positions_lr_(config.filter.lr_positions()) {
    if (config.head.kind() != "mlm") {
      config.head.kind.fail(
          fmt::format("family m2_bert has a head \"mlm\", got \"{}\"", config.head.kind()));
    }
    if (vocab_size_ < 1) config.vocab_size.fail("the number of token ids must be set");
    if (l_max_ < 1) config.l_max.fail("the longest input must be set, e.g. 128");
    const auto bert = register_module("bert", std::make_shared<torch::nn::Module>());
    embeddings_ = bert->register_module(
        "embeddings", std::make_shared<BertEmbeddings>(config, padded_vocab_size_, options));
    const auto encoder = bert->register_module("encoder", std::make_shared<torch::nn::Module>());
    const auto layers = encoder->register_module("layer", std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < config.n_layers(); ++i) {
      layers_.push_back(
          layers->register_module(std::to_string(i), std::make_shared<Layer>(config, options)));
    }
    head_ = register_module("cls", std::make_shared<MaskedLanguageModelHead>(
                                       config.tie_embeddings() ? embeddings_->words() : nullptr,
                                       config.d_model(), padded_vocab_size_, options));
    initialise(config.init_std());
    if (config.same_layers()) copy_first_layer();
  }

  at::Tensor hidden(const Input& input) override {
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

  at::Tensor logits(const Input& input) override { return head_->forward(hidden(input)); }

  /// As published, none (the encoder's copies of its layer lost them, models.md 3.5): a filter
  /// trains like everything else unless it is given a rate of its own.
  [[nodiscard]] std::vector<ParameterOverride> overrides() const override {
    std::vector<ParameterOverride> out;
    for (const auto& parameter : named_parameters()) {
      const std::string& name = parameter.key();
      const bool is_filter = name.find(".attention.filter_fn") != std::string::npos;
      if (filter_lr_ > 0.0 && is_filter && name.find(".implicit_filter") != std::string::npos) {
        out.push_back({name, filter_lr_, filter_weight_decay_});
      } else if (positions_lr_ > 0.0 && is_filter && name.ends_with(".pos_emb.z")) {
        out.push_back({name, positions_lr_, 0.0});
      }
    }
    return out;
  }

  [[nodiscard]] std::vector<Alias> aliases() const override {
    if (!head_->is_tied()) return {};
    return {{"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"}};
  }

  [[nodiscard]] std::int64_t vocab_size() const override { return vocab_size_; }
  [[nodiscard]] std::int64_t padded_vocab_size() const override { return padded_vocab_size_; }
  [[nodiscard]] std::int64_t l_max() const override { return l_max_; }

 private:
  /// models.md 3.4: every Linear (the filter MLPs' too) and the embeddings N(0, std), their biases
  /// 0. Block-diagonal matrices, short filters, skips and norms keep what their constructors gave.
  void initialise(double std) {
    const at::NoGradGuard no_grad;
    for (const auto& item : named_modules("", /*include_self=*/false)) {
      if (const auto linear = std::dynamic_pointer_cast<Linear>(item.value())) {
        linear->weight.normal_(0.0, std);
        if (linear->bias.defined()) linear->bias.zero_();
      }
    }
    embeddings_->initialise(std);
    head_->initialise(std);
  }

  /// The published encoder copied one layer before its Linears were drawn again: what that pass
  /// leaves alone starts the same everywhere.
  void copy_first_layer() {
    const at::NoGradGuard no_grad;
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

  std::int64_t vocab_size_;
  std::int64_t padded_vocab_size_;
  std::int64_t l_max_;
  double filter_lr_;
  double filter_weight_decay_;
  double positions_lr_;
  std::shared_ptr<BertEmbeddings> embeddings_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<MaskedLanguageModelHead> head_;
};

}  // namespace

std::shared_ptr<Model> make_m2_bert(const ModelConfig& config, const at::TensorOptions& options) {
  return std::make_shared<M2Bert>(config, options);
}

}  // namespace longconv::models
