#include "models/layers/basic.h"

#include "core/ops/layer_norm.h"
#include "core/ops/short_conv.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace longconv::models {
namespace {

/// PyTorch's default for Linear and Conv1d: U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
at::Tensor uniform_by_fan_in(at::IntArrayRef shape, std::int64_t fan_in,
                             const at::TensorOptions& options) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return at::empty(shape, options).uniform_(-bound, bound);
}

}  // namespace

at::ScalarType product_dtype(const at::Tensor& x) {
  const auto device = x.device().type();
  const bool casts = x.scalar_type() == at::kFloat && at::autocast::is_autocast_enabled(device);
  return casts ? at::autocast::get_autocast_dtype(device) : x.scalar_type();
}

Linear::Linear(std::int64_t in, std::int64_t out, bool with_bias,
               const at::TensorOptions& options) {
  weight = register_parameter("weight", uniform_by_fan_in({out, in}, in, options));
  if (with_bias) bias = register_parameter("bias", uniform_by_fan_in({out}, in, options));
}

at::Tensor Linear::forward(const at::Tensor& x) const { return at::linear(x, weight, bias); }

LayerNorm::LayerNorm(std::int64_t channels, double eps, const at::TensorOptions& options)
    : eps_(eps) {
  weight = register_parameter("weight", at::ones({channels}, options));
  bias = register_parameter("bias", at::zeros({channels}, options));
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  const at::Tensor wide = x.to(weight.scalar_type());
  return ops::layer_norm(wide, weight, bias, eps_, product_dtype(wide));
}

Embedding::Embedding(std::int64_t rows, std::int64_t channels, const at::TensorOptions& options,
                     std::int64_t padding_id)
    : padding_id_(padding_id) {
  weight = register_parameter("weight", at::empty({rows, channels}, options).normal_());
}

at::Tensor Embedding::forward(const at::Tensor& ids) const {
  return at::embedding(weight, ids, padding_id_);
}

Mlp::Mlp(std::int64_t channels, std::int64_t inner, const at::TensorOptions& options) {
  fc1 = register_module("fc1", std::make_shared<Linear>(channels, inner, true, options));
  fc2 = register_module("fc2", std::make_shared<Linear>(inner, channels, true, options));
}

at::Tensor Mlp::forward(const at::Tensor& x) const {
  return fc2->forward(at::gelu(fc1->forward(x), "tanh"));
}

ShortConv::ShortConv(std::int64_t channels, std::int64_t taps, const at::TensorOptions& options) {
  weight = register_parameter("weight", uniform_by_fan_in({channels, 1, taps}, taps, options));
  bias = register_parameter("bias", uniform_by_fan_in({channels}, taps, options));
}

ops::GatedParts ShortConv::forward(const at::Tensor& p, std::int64_t order) const {
  return ops::short_conv_gate(p, weight.squeeze(1), bias, order);
}

at::Tensor ShortConv::convolve(const at::Tensor& p) const {
  return ops::short_conv(p.transpose(1, 2), weight.squeeze(1), bias);
}

at::Tensor drop(const at::Tensor& x, double share, bool training) {
  return training && share > 0.0 ? at::dropout(x, share, true) : x;
}

}  // namespace longconv::models
