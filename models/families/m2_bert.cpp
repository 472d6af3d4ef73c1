// M2-BERT (Monarch Mixer, arXiv:2310.12109; models.md section 3): its encoder, and on top of it
//
//   mlm          the words that were masked                               cls
//   classifier   W drop(pooled) + b, pooled = tanh(W_p hidden[0] + b_p)   bert.pooler, classifier
//   regressor    the same, the numbers themselves
//
// The mixers read padding like everything else, as published; only a mean over the tokens leaves it
// out.

#include "models/families/m2_bert_encoder.h"
#include "models/families/registry.h"
#include "models/heads/masked_language_model.h"
#include "models/layers/aliases.h"

#include <fmt/format.h>

namespace longconv::models {
namespace {

class M2BertMasked final : public LanguageModel, public HasAliases {
 public:
  M2BertMasked(const ModelConfig& config, const at::TensorOptions& options) {
    bert_ = register_module(
        "bert", std::make_shared<M2BertEncoder>(config, /*with_pooler=*/false, options));
    head_ = register_module("cls", std::make_shared<MaskedLanguageModelHead>(
                                       config.tie_embeddings() ? bert_->words() : nullptr,
                                       config.d_model(), bert_->padded_vocab_size(), options));
    bert_->initialise(*this, config);
    head_->initialise(config.init_std());
    overrides_ = m2_bert_overrides(*this, config.filter);
  }

  at::Tensor hidden(const Input& input) override { return bert_->forward(input); }
  at::Tensor logits(const Input& input) override { return head_->forward(hidden(input)); }

  [[nodiscard]] std::vector<Alias> aliases() const override {
    if (!head_->is_tied()) return {};
    return {{"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"}};
  }
  [[nodiscard]] std::vector<ParameterOverride> overrides() const override { return overrides_; }
  [[nodiscard]] std::int64_t vocab_size() const override { return bert_->vocab_size(); }
  [[nodiscard]] std::int64_t padded_vocab_size() const override {
    return bert_->padded_vocab_size();
  }
  [[nodiscard]] std::int64_t l_max() const override { return bert_->l_max(); }

 private:
  std::shared_ptr<M2BertEncoder> bert_;
  std::shared_ptr<MaskedLanguageModelHead> head_;
  std::vector<ParameterOverride> overrides_;
};

class M2BertClassifier final : public Model {
 public:
  M2BertClassifier(const ModelConfig& config, const at::TensorOptions& options)
      : dropout_(config.head.dropout()) {
    if (config.head.n_classes() < 1) {
      config.head.n_classes.fail("the number of classes or outputs must be set");
    }
    if (!config.head.bias())
      config.head.bias.fail("expected true: m2_bert's classifier has a bias");
    bert_ = register_module("bert",
                            std::make_shared<M2BertEncoder>(config, /*with_pooler=*/true, options));
    classifier_ = register_module(
        "classifier", std::make_shared<Linear>(config.d_model(), config.head.n_classes(),
                                               /*with_bias=*/true, options));
    bert_->initialise(*this, config);
    overrides_ = m2_bert_overrides(*this, config.filter);
  }

  at::Tensor hidden(const Input& input) override { return bert_->forward(input); }
  at::Tensor pooled(const Input& input) override {
    return bert_->pool(hidden(input), input.lengths);
  }
  at::Tensor logits(const Input& input) override {
    return classifier_->forward(drop(pooled(input), dropout_, is_training()));
  }
  [[nodiscard]] std::vector<ParameterOverride> overrides() const override { return overrides_; }
  [[nodiscard]] std::int64_t l_max() const override { return bert_->l_max(); }

 private:
  double dropout_;
  std::shared_ptr<M2BertEncoder> bert_;
  std::shared_ptr<Linear> classifier_;  ///< D -> classes
  std::vector<ParameterOverride> overrides_;
};

}  // namespace

std::shared_ptr<Model> make_m2_bert(const ModelConfig& config, const at::TensorOptions& options) {
  const std::string& kind = config.head.kind();
  if (kind == "mlm") return std::make_shared<M2BertMasked>(config, options);
  if (kind == "classifier" || kind == "regressor") {
    return std::make_shared<M2BertClassifier>(config, options);
  }
  config.head.kind.fail(fmt::format(
      "family m2_bert has a head \"mlm\", \"classifier\" or \"regressor\", got \"{}\"", kind));
}

}  // namespace longconv::models
