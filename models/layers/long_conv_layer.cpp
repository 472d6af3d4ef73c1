#include "models/layers/long_conv_layer.h"

#include "core/base/check.h"
#include "core/ops/long_conv.h"
#include "core/ops/transposed_linear.h"
#include "models/layers/basic.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/glu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <fmt/ranges.h>

#include <optional>

namespace longconv::models {
namespace {

at::Tensor activated(const at::Tensor& x, const std::string& name) {
  if (name == "gelu") return at::gelu(x);
  if (name == "gelu_tanh") return at::gelu(x, "tanh");
  if (name == "relu") return at::relu(x);
  if (name == "silu") return at::silu(x);
  return x;
}

}  // namespace

at::Tensor drop_tied(const at::Tensor& x, at::IntArrayRef shape, double share, bool training) {
  if (!training || share <= 0.0) return x;
  return x * drop(at::ones(shape, x.options().requires_grad(false)), share, /*training=*/true);
}

LongConvLayer::LongConvLayer(const ModelConfig& config, const at::TensorOptions& options)
    : activation_(config.activation()),
      postact_(config.postact()),
      dropped_(config.inner_dropout()),
      dropout_(config.resid_dropout()) {
  const std::int64_t d = config.d_model();
  const std::int64_t channels = config.filter.channels();
  skip = register_parameter("D", at::randn({channels, d}, options));
  filter_ = register_module("kernel", std::make_shared<ExplicitFilter>(config.filter, channels, d,
                                                                       config.l_max(), options));
  if (config.filter.transform() == "butterfly") {
    const auto butterfly = [&](const char* name) {
      return register_module(name, std::make_shared<ButterflyTransform>(config.filter, d, options));
    };
    of_u_ = butterfly("block_fft_u");
    of_k_ = butterfly("block_fft_k");
  }
  if (postact_ == "none") {
    if (channels != 1) {
      config.postact.fail(fmt::format(
          "\"none\" leaves no Linear to bring {} filter channels together; set filter.channels = 1",
          channels));
    }
    return;
  }
  const auto outer = register_module("output_linear", std::make_shared<torch::nn::Module>());
  const std::int64_t rows = postact_ == "glu" ? 2 * d : d;
  const Linear start(channels * d, rows, /*with_bias=*/true, options);  // PyTorch's first values
  const auto linear = outer->register_module("0", std::make_shared<torch::nn::Module>());
  bias_ = linear->register_parameter("bias", start.bias.detach());
  if (config.weight_norm()) {
    length_ = linear->register_parameter(
        "weight_g", at::linalg_vector_norm(start.weight.detach(), 2, at::IntArrayRef{1}, true));
    weight_ = linear->register_parameter("weight_v", start.weight.detach());
  } else {
    weight_ = linear->register_parameter("weight", start.weight.detach());
  }
}

at::Tensor LongConvLayer::project(const at::Tensor& y) const {
  if (!weight_.defined()) return y.transpose(1, 2);
  at::Tensor weight = weight_;
  if (length_.defined()) {
    weight = weight * (length_ / at::linalg_vector_norm(weight, 2, at::IntArrayRef{1}, true));
  }
  const at::Tensor out = ops::transposed_linear(y, weight, bias_);
  return postact_ == "glu" ? at::glu(out, -1) : out;
}

at::Tensor LongConvLayer::convolve(const at::Tensor& u) const {
  const FilterPair filters = filter_->filters(u.size(2));
  const bool looks_ahead = filters.k_reverse.defined();
  const std::optional<at::Tensor> reverse =
      looks_ahead ? std::optional<at::Tensor>(filters.k_reverse) : std::nullopt;
  if (of_u_) {
    return ops::butterfly_conv({u, filters.k, reverse, skip, of_u_->matrices(), of_k_->matrices()});
  }
  return ops::long_conv({u, filters.k, reverse, skip, std::nullopt, std::nullopt},
                        looks_ahead ? ops::ConvMode::bidirectional : ops::ConvMode::causal);
}

at::Tensor LongConvLayer::forward(const at::Tensor& u, const at::Tensor& counts) const {
  const std::int64_t batch = u.size(0);
  const std::int64_t length = u.size(1);
  const std::int64_t features = skip.numel();
  at::Tensor read = u.transpose(1, 2).contiguous();
  if (counts.defined()) read = read * counts.unsqueeze(1);
  at::Tensor y = activated(convolve(read).reshape({batch, features, length}), activation_);
  if (dropped_ == "element") {
    y = drop(y, dropout_, is_training());
  } else if (dropped_ == "channel") {
    y = drop_tied(y, {batch, features, 1}, dropout_, is_training());
  } else {
    y = drop_tied(y, {batch, 1, length}, dropout_, is_training());
  }
  return project(y);
}

}  // namespace longconv::models
