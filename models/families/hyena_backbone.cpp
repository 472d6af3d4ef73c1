#include "models/families/hyena_backbone.h"

#include "core/base/check.h"
#include "models/heads/language_model.h"
#include "models/layers/attention.h"
#include "models/layers/h3_conv.h"
#include "models/layers/hyena_operator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>

namespace longconv::models {

class HyenaBlock final : public torch::nn::Module {
 public:
  HyenaBlock(const ModelConfig& config, bool attends, const at::TensorOptions& options)
      : resid_dropout_(config.resid_dropout()) {
    const std::int64_t d = config.d_model();
    if (attends) {
      mixer_ = std::make_shared<CausalAttention>(config, options);
    } else if (config.family() == "h3_conv") {
      mixer_ = std::make_shared<H3Conv>(config, options);
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

namespace {

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

}  // namespace

HyenaBackbone::HyenaBackbone(const ModelConfig& config, const at::TensorOptions& options)
    : vocab_size_(config.vocab_size()),
      padded_vocab_size_(padded_vocab(config.vocab_size(), config.pad_vocab_multiple())),
      l_max_(config.l_max()),
      longest_(config.longest_input()),
      embed_dropout_(config.embed_dropout()),
      residual_in_fp32_(config.residual_in_fp32()) {
  if (config.d_input() > 0) {
    config.d_input.fail(
        fmt::format("family {} takes ids, and no series of numbers; expected 0", config.family()));
  }
  if (vocab_size_ < 1) config.vocab_size.fail("the number of token ids must be set");
  if (l_max_ < 1) config.l_max.fail("the longest input must be set, e.g. 1024");
  check_attention_layers(config);
  const std::int64_t d = config.d_model();
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  embedding_ = embeddings->register_module(
      "word_embeddings", std::make_shared<Embedding>(padded_vocab_size_, d, options));
  const auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
  const std::vector<std::int64_t>& attending = config.attention.layers();
  for (std::int64_t i = 0; i < config.n_layers(); ++i) {
    const bool attends = std::find(attending.begin(), attending.end(), i) != attending.end();
    blocks_.push_back(layers->register_module(
        std::to_string(i), std::make_shared<HyenaBlock>(config, attends, options)));
  }
  ln_f_ = register_module("ln_f", std::make_shared<LayerNorm>(d, config.norm_eps(), options));
  initialise(config.init_std(), config.n_layers());
}

at::Tensor HyenaBackbone::forward(const at::Tensor& ids, const at::Tensor& prompt) const {
  const std::int64_t before = prompt.defined() ? prompt.size(0) : 0;
  LONGCONV_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong, ShapeError,
                 "hyena: ids must be [B, L] int64, got [{}] {}", fmt::join(ids.sizes(), ", "),
                 at::toString(ids.scalar_type()));
  LONGCONV_CHECK(before + ids.size(1) <= longest_, ConfigError,
                 "hyena: the input has {} tokens{}, but the filters were built for model.l_max = "
                 "{}; shorten the input (data.seq_len), train with a larger model.l_max, or let "
                 "the filters end early (model.filter.max_taps)",
                 ids.size(1),
                 before > 0 ? fmt::format(" behind {} of model.soft_prompt", before) : "", l_max_);
  at::Tensor r = embedding_->forward(ids);
  if (before > 0) r = at::cat({prompt.expand({ids.size(0), -1, -1}), r}, 1);
  if (!residual_in_fp32_) r = r.to(product_dtype(r));
  r = drop(r, embed_dropout_, is_training());
  for (const auto& block : blocks_) r = block->forward(r);
  return ln_f_->forward(before > 0 ? r.narrow(1, before, ids.size(1)) : r);
}

/// models.md 2.4: every Linear (the filter MLP's too) and the embedding N(0, std), biases 0; the
/// two products that end on the residual stream N(0, std / sqrt(2 n_layers)). The short filter,
/// skips, frequencies and norms keep what their constructors gave them.
void HyenaBackbone::initialise(double std, std::int64_t n_layers) {
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
}

std::vector<ParameterOverride> hyena_overrides(const torch::nn::Module& model,
                                               const FilterConfig& filter) {
  std::vector<ParameterOverride> out;
  const auto own = [](double lr) { return lr > 0.0 ? std::optional<double>(lr) : std::nullopt; };
  for (const auto& parameter : model.named_parameters()) {
    const std::string& name = parameter.key();
    if (name.find(".filter_fn.implicit_filter.") != std::string::npos) {
      out.push_back({name, own(filter.lr()), filter.weight_decay()});
    } else if (name.ends_with("kernel.kernel")) {
      out.push_back({name, own(filter.lr()), 0.0});
    } else if (name.ends_with(".filter_fn.pos_emb.z")) {
      out.push_back({name, own(filter.lr_positions()), 0.0});
    }
  }
  return out;
}

}  // namespace longconv::models
