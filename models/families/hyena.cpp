// Hyena-GPT (arXiv:2302.10866; models.md section 2): a pre-norm residual stack with a tied head and
// no positional embedding,
//
//   r = drop_embed(Emb[ids])
//   r = r + drop_resid(Mixer_i(LN1_i(r)));  r = r + drop_resid(Mlp_i(LN2_i(r)))    for every layer
//   hidden = LN_f(r);  logits = hidden Emb^T
//
// The mixer is the Hyena operator, or causal attention in the layers that [model.attention] names.

#include "core/base/check.h"
#include "models/families/registry.h"
#include "models/heads/language_model.h"
#include "models/layers/attention.h"
#include "models/layers/hyena_operator.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace longconv::models {
namespace {

class Block final : public torch::nn::Module {
 public:
  Block(const ModelConfig& config, bool attends, const at::TensorOptions& options)
      : resid_dropout_(config.resid_dropout()) {
    const std::int64_t d = config.d_model();
    if (attends) {
      mixer_ = std::make_shared<CausalAttention>(config, options);
    } else {
      mixer_ = std::make_shared<HyenaOperator>(config, options);
    }
    register_module("mixer", mixer_);
    norm1_ = register_module("norm1", std::make_shared<LayerNorm>(d, config.norm_eps(), options));
    mlp_ = register_module("mlp", std::make_shared<Mlp>(d, config.inner_width(), options));
    norm2_ = register_module("norm2", std::make_shared<LayerNorm>(d, config.norm_eps(), options));
  }

  /// r (B, L, D), the residual stream in its own dtype; so is the result.
  [[nodiscard]] at::Tensor forward(const at::Tensor& r) const {
    const at::Tensor s =
        r + drop(mixer_->forward(norm1_->forward(r)), resid_dropout_, is_training());
    return s + drop(mlp_->forward(norm2_->forward(s)), resid_dropout_, is_training());
  }

 private:
  double resid_dropout_;
  std::shared_ptr<Mixer> mixer_;
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<LayerNorm> norm2_;
};

/// Throws at the key if attention.layers is not a set of layer numbers.
void check_attention_layers(const ModelConfig& config) {
  const std::vector<std::int64_t>& layers = config.attention.layers();
  for (auto layer = layers.begin(); layer != layers.end(); ++layer) {
    if (*layer < 0 || *layer >= config.n_layers()) {
      config.attention.layers.fail(
          fmt::format("expected layers from 0 to {}, got {}", config.n_layers() - 1, *layer));
    }
    if (std::find(layers.begin(), layer, *layer) != layer) {
      config.attention.layers.fail(fmt::format("layer {} is listed twice", *layer));
    }
  }
}

class HyenaLm final : public LanguageModel, public HasAliases {
 public:
  HyenaLm(const ModelConfig& config, const at::TensorOptions& options)
      : vocab_size_(config.vocab_size()),
        padded_vocab_size_(padded_vocab(config.vocab_size(), config.pad_vocab_multiple())),
        l_max_(config.l_max()),
        longest_(config.longest_input()),
        embed_dropout_(config.embed_dropout()),
        residual_in_fp32_(config.residual_in_fp32()),
        filter_lr_(config.filter.lr()),
        positions_lr_(config.filter.lr_positions()) {
    if (config.head.kind() != "lm") {
      config.head.kind.fail(
          fmt::format("family hyena has a head \"lm\", got \"{}\"", config.head.kind()));
    }
    if (vocab_size_ < 1) config.vocab_size.fail("the number of token ids must be set");
    if (l_max_ < 1) config.l_max.fail("the longest input must be set, e.g. 1024");
    check_attention_layers(config);
    const std::int64_t d = config.d_model();

    const auto backbone = register_module("backbone", std::make_shared<torch::nn::Module>());
    const auto embeddings =
        backbone->register_module("embeddings", std::make_shared<torch::nn::Module>());
    embedding_ = embeddings->register_module(
        "word_embeddings", std::make_shared<Embedding>(padded_vocab_size_, d, options));
    const auto layers = backbone->register_module("layers", std::make_shared<torch::nn::Module>());
    const std::vector<std::int64_t>& attending = config.attention.layers();
    for (std::int64_t i = 0; i < config.n_layers(); ++i) {
      const bool attends = std::find(attending.begin(), attending.end(), i) != attending.end();
      blocks_.push_back(layers->register_module(std::to_string(i),
                                                std::make_shared<Block>(config, attends, options)));
    }
    ln_f_ = backbone->register_module("ln_f",
                                      std::make_shared<LayerNorm>(d, config.norm_eps(), options));
    head_ = register_module("lm_head", std::make_shared<LanguageModelHead>(
                                           config.tie_embeddings() ? embedding_ : nullptr, d,
                                           padded_vocab_size_, options));
    initialise(config.init_std(), config.n_layers());
  }

  at::Tensor hidden(const Input& input) override {
    const at::Tensor& ids = input.values;
    LONGCONV_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong, ShapeError,
                   "hyena: ids must be [B, L] int64, got [{}] {}", fmt::join(ids.sizes(), ", "),
                   at::toString(ids.scalar_type()));
    LONGCONV_CHECK(ids.size(1) <= longest_, ConfigError,
                   "hyena: the input has {} tokens, but the filters were built for model.l_max = "
                   "{}; shorten the input (data.seq_len), train with a larger model.l_max, or let "
                   "the filters end early (model.filter.max_taps)",
                   ids.size(1), l_max_);
    at::Tensor r = embedding_->forward(ids);
    if (!residual_in_fp32_) r = r.to(product_dtype(r));
    r = drop(r, embed_dropout_, is_training());
    for (const auto& block : blocks_) r = block->forward(r);
    return ln_f_->forward(r);
  }

  at::Tensor logits(const Input& input) override { return head_->forward(hidden(input)); }

  [[nodiscard]] std::vector<ParameterOverride> overrides() const override {
    std::vector<ParameterOverride> out;
    const auto own = [](double lr) { return lr > 0.0 ? std::optional<double>(lr) : std::nullopt; };
    for (const auto& parameter : named_parameters()) {
      const std::string& name = parameter.key();
      if (name.find(".filter_fn.implicit_filter.") != std::string::npos) {
        out.push_back({name, own(filter_lr_), 0.0});
      } else if (name.ends_with(".filter_fn.pos_emb.z")) {
        out.push_back({name, own(positions_lr_), 0.0});
      }
    }
    return out;
  }

  [[nodiscard]] std::vector<Alias> aliases() const override {
    if (!head_->is_tied()) return {};
    return {{"lm_head.weight", "backbone.embeddings.word_embeddings.weight"}};
  }

  [[nodiscard]] std::int64_t vocab_size() const override { return vocab_size_; }
  [[nodiscard]] std::int64_t padded_vocab_size() const override { return padded_vocab_size_; }
  [[nodiscard]] std::int64_t l_max() const override { return longest_; }
  [[nodiscard]] bool is_causal() const override { return true; }

 private:
  /// models.md 2.4: every Linear (the filter MLP's too), the embedding and the head N(0, std),
  /// their biases 0; the two products that end on the residual stream N(0, std / sqrt(2 n_layers)).
  /// The short filter, skips, frequencies and norms keep what their constructors gave them.
  void initialise(double std, std::int64_t n_layers) {
    const at::NoGradGuard no_grad;
    const double into_residual = std / std::sqrt(2.0 * static_cast<double>(n_layers));
    for (const auto& item : named_modules("", /*include_self=*/false)) {
      if (const auto linear = std::dynamic_pointer_cast<Linear>(item.value())) {
        const std::string& name = item.key();
        const bool ends_block = name.ends_with(".out_proj") || name.ends_with(".fc2");
        linear->weight.normal_(0.0, ends_block ? into_residual : std);
        if (linear->bias.defined()) linear->bias.zero_();
      }
    }
    embedding_->weight.normal_(0.0, std);
    head_->initialise(std);
  }

  std::int64_t vocab_size_;
  std::int64_t padded_vocab_size_;
  std::int64_t l_max_;
  std::int64_t longest_;
  double embed_dropout_;
  bool residual_in_fp32_;
  double filter_lr_;
  double positions_lr_;
  std::shared_ptr<Embedding> embedding_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<LayerNorm> ln_f_;
  std::shared_ptr<LanguageModelHead> head_;
};

}  // namespace

std::shared_ptr<Model> make_hyena(const ModelConfig& config, const at::TensorOptions& options) {
  return std::make_shared<HyenaLm>(config, options);
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
