// Hyena-GPT (arXiv:2302.10866; models.md section 2), HyenaDNA (arXiv:2306.15794; section 5) and H3
// with long convolutions (arXiv:2302.06646; 4.5): one backbone, and on top of it
//
//   lm           hidden W^T, W the embedding's rows or its own           lm_head
//   classifier   W pool(hidden) + b, as HyenaDNA is fine-tuned (5.6)     decoder.0
//
// A soft prompt, trained vectors before every row's first token (5.6), stands beside them:
// soft_prompt.
//
// Padding on a row's right never reaches a causal backbone's earlier steps, and the classifier's
// pool leaves it out; padding on its left is read like all else, as published.

#include "models/families/hyena_backbone.h"
#include "models/families/registry.h"
#include "models/heads/language_model.h"
#include "models/heads/sequence_decoder.h"
#include "models/layers/aliases.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <optional>

namespace longconv::models {
namespace {

/// soft_prompt (n, D), N(0, .02) as published; nothing for n = 0. Read by hidden().
class SoftPrompt {
 public:
  SoftPrompt(torch::nn::Module& owner, const ModelConfig& config, const at::TensorOptions& options)
      : dropout_(config.soft_prompt_dropout()) {
    const std::int64_t vectors = config.soft_prompt();
    if (vectors == 0) return;
    const at::NoGradGuard no_grad;
    constexpr double kDeviation = 0.02;
    vectors_ = owner.register_parameter(
        "soft_prompt", at::empty({vectors, config.d_model()}, options).normal_(0.0, kDeviation));
  }
  [[nodiscard]] at::Tensor read(bool training) const {
    return vectors_.defined() ? drop(vectors_, dropout_, training) : vectors_;
  }
  [[nodiscard]] std::int64_t size() const { return vectors_.defined() ? vectors_.size(0) : 0; }

 private:
  double dropout_;
  at::Tensor vectors_;
};

class HyenaLm final : public LanguageModel, public HasAliases {
 public:
  HyenaLm(const ModelConfig& config, const at::TensorOptions& options) {
    backbone_ = register_module("backbone", std::make_shared<HyenaBackbone>(config, options));
    head_ =
        register_module("lm_head", std::make_shared<LanguageModelHead>(
                                       config.tie_embeddings() ? backbone_->embedding() : nullptr,
                                       config.d_model(), backbone_->padded_vocab_size(), options));
    prompt_.emplace(*this, config, options);
    overrides_ = hyena_overrides(*this, config.filter);
    const at::NoGradGuard no_grad;
    head_->initialise(config.init_std());
  }

  at::Tensor hidden(const Input& input) override {
    return backbone_->forward(input.values, prompt_->read(is_training()));
  }
  at::Tensor logits(const Input& input) override { return head_->forward(hidden(input)); }

  [[nodiscard]] std::vector<Alias> aliases() const override {
    if (!head_->is_tied()) return {};
    return {{"lm_head.weight", "backbone.embeddings.word_embeddings.weight"}};
  }
  [[nodiscard]] std::vector<ParameterOverride> overrides() const override { return overrides_; }
  [[nodiscard]] std::int64_t vocab_size() const override { return backbone_->vocab_size(); }
  [[nodiscard]] std::int64_t padded_vocab_size() const override {
    return backbone_->padded_vocab_size();
  }
  [[nodiscard]] std::int64_t l_max() const override {
    return backbone_->longest() - prompt_->size();
  }
  [[nodiscard]] bool is_causal() const override { return true; }

 private:
  std::shared_ptr<HyenaBackbone> backbone_;
  std::shared_ptr<LanguageModelHead> head_;
  std::optional<SoftPrompt> prompt_;
  std::vector<ParameterOverride> overrides_;
};

class HyenaClassifier final : public Model {
 public:
  HyenaClassifier(const ModelConfig& config, const at::TensorOptions& options) {
    backbone_ = register_module("backbone", std::make_shared<HyenaBackbone>(config, options));
    const auto decoder = register_module("decoder", std::make_shared<torch::nn::Module>());
    decoder_ = decoder->register_module("0", make_decoder(config, options));
    prompt_.emplace(*this, config, options);
    overrides_ = hyena_overrides(*this, config.filter);
  }

  at::Tensor hidden(const Input& input) override {
    return backbone_->forward(input.values, prompt_->read(is_training()));
  }
  at::Tensor logits(const Input& input) override {
    return decoder_->forward(hidden(input), input.lengths);
  }
  [[nodiscard]] std::vector<ParameterOverride> overrides() const override { return overrides_; }
  [[nodiscard]] std::int64_t l_max() const override {
    return backbone_->longest() - prompt_->size();
  }
  [[nodiscard]] bool is_causal() const override { return true; }

 private:
  std::shared_ptr<HyenaBackbone> backbone_;
  std::shared_ptr<Decoder> decoder_;
  std::optional<SoftPrompt> prompt_;
  std::vector<ParameterOverride> overrides_;
};

}  // namespace

std::shared_ptr<Model> make_hyena(const ModelConfig& config, const at::TensorOptions& options) {
  const std::string& kind = config.head.kind();
  if (kind == "lm") return std::make_shared<HyenaLm>(config, options);
  if (kind == "classifier") return std::make_shared<HyenaClassifier>(config, options);
  config.head.kind.fail(fmt::format("family {} has a head \"lm\" or \"classifier\", got \"{}\"",
                                    config.family(), kind));
}

std::shared_ptr<Model> make_hyena_dna(const ModelConfig& config, const at::TensorOptions& options) {
  if (config.order() != 2) {
    config.order.fail(fmt::format("expected 2 for family = \"hyena_dna\", got {}", config.order()));
  }
  if (!config.attention.layers().empty()) {
    config.attention.layers.fail("expected no layer that attends for family = \"hyena_dna\"");
  }
  return make_hyena(config, options);
}

}  // namespace longconv::models
