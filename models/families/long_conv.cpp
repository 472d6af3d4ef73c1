// LongConv (arXiv:2302.06646; models.md section 4): residual layers of long convolutions between an
// encoder and a decoder,
//
//   pre-norm    x <- x + drop(layer(norm(x))), and a norm at the end
//   post-norm   x <- norm(x + drop(layer(x)))
//
// drop takes whole channels of a row. The encoder is a Linear of series or an Embedding of ids
// without positions; the decoder a classifier of pooled steps, of pairs, or a Linear at every step,
// which with an MLP after each layer is the regression backbone of the brain-data task (data.md
// 3.4). Names: encoder.0, layers.{i}.{layer, norm}, norm (pre-norm only), decoder.0.

#include "core/base/check.h"
#include "models/families/registry.h"
#include "models/heads/sequence_decoder.h"
#include "models/layers/long_conv_layer.h"
#include "models/layers/sequence_norm.h"

#include <fmt/ranges.h>

namespace longconv::models {
namespace {

/// A layer with its norm and its way past.
class Block final : public torch::nn::Module {
 public:
  /// `is_mlp`: an MLP in place of the convolution.
  Block(const ModelConfig& config, bool is_mlp, const at::TensorOptions& options)
      : prenorm_(config.prenorm()), dropout_(config.resid_dropout()) {
    if (is_mlp) {
      mlp_ = register_module(
          "layer", std::make_shared<Mlp>(config.d_model(), config.inner_width(), options));
    } else {
      conv_ = register_module("layer", std::make_shared<LongConvLayer>(config, options));
    }
    norm_ = register_module("norm", make_norm(config, options));
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const at::Tensor& counts) const {
    const at::Tensor read = prenorm_ ? norm_->forward(x, counts) : x;
    const at::Tensor made = conv_ ? conv_->forward(read, counts) : mlp_->forward(read);
    const at::Tensor sum = x + drop_tied(made, {x.size(0), 1, x.size(2)}, dropout_, is_training());
    return prenorm_ ? sum : norm_->forward(sum, counts);
  }

 private:
  bool prenorm_;
  double dropout_;
  std::shared_ptr<LongConvLayer> conv_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<SequenceNorm> norm_;
};

class LongConv final : public Model {
 public:
  LongConv(const ModelConfig& config, const at::TensorOptions& options)
      : l_max_(config.l_max()),
        d_input_(config.d_input()),
        embed_dropout_(config.embed_dropout()),
        filter_lr_(config.filter.lr()),
        transform_lr_(config.filter.transform_lr()) {
    const std::string& kind = config.head.kind();
    if (kind != "classifier" && kind != "regressor") {
      config.head.kind.fail(fmt::format(
          "family long_conv has a head \"classifier\" or \"regressor\", got \"{}\"", kind));
    }
    if (config.soft_prompt() > 0) {
      config.soft_prompt.fail("family long_conv has no soft prompt; expected 0");
    }
    if (l_max_ < 1) config.l_max.fail("the longest input must be set, e.g. 1024");
    if ((config.vocab_size() > 0) == (d_input_ > 0)) {
      config.d_input.fail(
          fmt::format("expected either ids (vocab_size) or series (d_input), got vocab_size = {} "
                      "and d_input = {}",
                      config.vocab_size(), d_input_));
    }
    const std::int64_t d = config.d_model();
    const auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
    if (d_input_ > 0) {
      linear_ = encoder->register_module(
          "0", std::make_shared<Linear>(d_input_, d, /*with_bias=*/true, options));
    } else {
      embedding_ = encoder->register_module(
          "0", std::make_shared<Embedding>(config.vocab_size(), d, options));
    }
    const auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
    const std::int64_t each = config.mlp_blocks() ? 2 : 1;
    for (std::int64_t i = 0; i < each * config.n_layers(); ++i) {
      blocks_.push_back(layers->register_module(
          std::to_string(i), std::make_shared<Block>(config, i % each == 1, options)));
    }
    if (config.prenorm()) norm_ = register_module("norm", make_norm(config, options));
    const auto decoder = register_module("decoder", std::make_shared<torch::nn::Module>());
    decoder_ = decoder->register_module("0", make_decoder(config, options));
  }

  at::Tensor hidden(const Input& input) override {
    const at::Tensor counts = steps_that_count(input.lengths, input.values.size(1));
    at::Tensor x = drop(encode(input.values), embed_dropout_, is_training());
    for (const auto& block : blocks_) x = block->forward(x, counts);
    return norm_ ? norm_->forward(x, counts) : x;
  }

  at::Tensor logits(const Input& input) override {
    return decoder_->forward(hidden(input), input.lengths);
  }

  [[nodiscard]] std::vector<ParameterOverride> overrides() const override {
    std::vector<ParameterOverride> out;
    const auto own = [](double lr) { return lr > 0.0 ? std::optional<double>(lr) : std::nullopt; };
    for (const auto& parameter : named_parameters()) {
      const std::string& name = parameter.key();
      if (name.ends_with(".layer.kernel.kernel")) {
        out.push_back({name, own(filter_lr_), 0.0});
      } else if (name.find(".layer.block_fft_") != std::string::npos) {
        out.push_back({name, own(transform_lr_), 0.0});
      }
    }
    return out;
  }

  [[nodiscard]] std::int64_t l_max() const override { return l_max_; }

 private:
  [[nodiscard]] at::Tensor encode(const at::Tensor& values) const {
    const bool fits =
        linear_ ? values.dim() == 3 && values.size(2) == d_input_ && values.is_floating_point()
                : values.dim() == 2 && values.scalar_type() == at::kLong;
    LONGCONV_CHECK(fits, ShapeError, "long_conv: expected {}, got [{}] {}",
                   linear_ ? fmt::format("series [B, L, {}] of floats", d_input_)
                           : std::string("ids [B, L] int64"),
                   fmt::join(values.sizes(), ", "), at::toString(values.scalar_type()));
    LONGCONV_CHECK(values.size(1) <= l_max_, ConfigError,
                   "long_conv: the input has {} steps, but the filters were built for model.l_max "
                   "= {}; shorten the input (data.seq_len) or train with a larger model.l_max",
                   values.size(1), l_max_);
    return linear_ ? linear_->forward(values.to(linear_->weight.scalar_type()))
                   : embedding_->forward(values);
  }

  std::int64_t l_max_;
  std::int64_t d_input_;
  double embed_dropout_;
  double filter_lr_;
  double transform_lr_;
  std::shared_ptr<Linear> linear_;        ///< of series
  std::shared_ptr<Embedding> embedding_;  ///< of ids
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<SequenceNorm> norm_;
  std::shared_ptr<Decoder> decoder_;
};

}  // namespace

std::shared_ptr<Model> make_long_conv(const ModelConfig& config, const at::TensorOptions& options) {
  return std::make_shared<LongConv>(config, options);
}

}  // namespace longconv::models
