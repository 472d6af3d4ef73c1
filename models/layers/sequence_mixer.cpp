#include "models/layers/sequence_mixer.h"

#include "core/base/check.h"
#include "core/ops/long_conv.h"
#include "core/ops/transposed_linear.h"

#include <ATen/ops/split.h>

namespace longconv::models {
namespace {

constexpr double kNormEps = 1e-5;  // of this norm alone (models.md 3.1)

/// gate_out (conv(gate_in u) + d gate_in u) by the filter's one pair.
at::Tensor convolve(HyenaFilter& filter, ops::LongConvInputs inputs) {
  const LongFilter pair = filter.filters(inputs.u.size(2))[0];
  inputs.k = pair.k;
  if (pair.k_reverse.defined()) inputs.k_reverse = pair.k_reverse;
  inputs.spectrum = pair.spectrum;
  inputs.skip = filter.bias;
  return ops::long_conv(inputs,
                        inputs.k_reverse ? ops::ConvMode::bidirectional : ops::ConvMode::causal);
}

}  // namespace

SequenceMixer::SequenceMixer(const ModelConfig& config, const at::TensorOptions& options)
    : channels_(config.d_model()), l_max_(config.l_max()) {
  if (l_max_ < 2) {
    config.l_max.fail(fmt::format(
        "the length the filters are built for must be set, at least 2 (e.g. 128), got {}", l_max_));
  }
  const std::int64_t d = channels_;
  const auto filter = [&] {
    return std::make_shared<HyenaFilter>(config.filter, d, /*count=*/1, l_max_, options);
  };
  if (config.mixer_norm()) {
    layernorm_ = register_module("layernorm", std::make_shared<LayerNorm>(d, kNormEps, options));
  }
  in_linear_ = register_module("in_linear", std::make_shared<Linear>(d, 3 * d, true, options));
  short_filter_ = register_module(
      "short_filter", std::make_shared<ShortConv>(3 * d, config.short_filter.taps(), options));
  filter_fn_ = register_module("filter_fn", filter());
  if (config.residual_long_conv()) filter_fn2_ = register_module("filter_fn2", filter());
  out_linear_ = register_module("out_linear", std::make_shared<Linear>(d, d, true, options));
}

at::Tensor SequenceMixer::forward(const at::Tensor& input) {
  LONGCONV_CHECK(input.dim() == 3 && input.size(2) == channels_, ShapeError,
                 "sequence mixer: u must be [B, L, {}], got [{}]", channels_,
                 fmt::join(input.sizes(), ", "));
  LONGCONV_CHECK(input.size(1) <= l_max_, ShapeError,
                 "sequence mixer: u has {} positions, but the filters were built for l_max = {}; "
                 "shorten the input or build with a larger l_max",
                 input.size(1), l_max_);
  const at::Tensor u = layernorm_ ? layernorm_->forward(input) : input.to(product_dtype(input));
  const at::Tensor s = short_filter_->convolve(in_linear_->forward(u));  // (B, 3 D, L)
  // split, not narrow: its backward is one concatenation. The gates are read in place.
  const std::vector<at::Tensor> parts = at::split(s, channels_, /*dim=*/1);  // x1, x2, v
  ops::LongConvInputs gated;
  gated.u = parts[2];
  gated.gate_in = parts[0];
  gated.gate_out = parts[1];
  at::Tensor y = convolve(*filter_fn_, gated);
  if (filter_fn2_) {
    ops::LongConvInputs residual;
    residual.u = u.transpose(1, 2).contiguous();
    y = y + convolve(*filter_fn2_, residual);
  }
  return ops::transposed_linear(y, out_linear_->weight, out_linear_->bias);
}

}  // namespace longconv::models
