#include "models/layers/hyena_operator.h"

#include "core/base/check.h"
#include "core/ops/long_conv.h"

#include <ATen/ops/split.h>

namespace longconv::models {

HyenaOperator::HyenaOperator(const ModelConfig& config, const at::TensorOptions& options)
    : channels_(config.d_model()), l_max_(config.l_max()) {
  if (l_max_ < 2) {
    config.l_max.fail(fmt::format(
        "the length the filters are built for must be set, at least 2 (e.g. 1024), got {}",
        l_max_));
  }
  const std::int64_t d = channels_;
  const std::int64_t wide = (config.order() + 1) * d;
  in_proj_ = register_module("in_proj", std::make_shared<Linear>(d, wide, true, options));
  short_filter_ = register_module(
      "short_filter", std::make_shared<ShortConv>(wide, config.short_filter.taps(), options));
  filter_fn_ = register_module(
      "filter_fn",
      std::make_shared<HyenaFilter>(config.filter, d, config.order() - 1, l_max_, options));
  out_proj_ = register_module("out_proj", std::make_shared<Linear>(d, d, true, options));
}

at::Tensor HyenaOperator::forward(const at::Tensor& u) {
  LONGCONV_CHECK(u.dim() == 3 && u.size(2) == channels_, ShapeError,
                 "hyena operator: u must be [B, L, {}], got [{}]", channels_,
                 fmt::join(u.sizes(), ", "));
  LONGCONV_CHECK(u.size(1) <= l_max_, ShapeError,
                 "hyena operator: u has {} positions, but the filters were built for l_max = {}; "
                 "shorten the input or build with a larger l_max",
                 u.size(1), l_max_);
  // The short convolution reads the product's (B, L, C) as a transposed view and writes (B, C, L),
  // which every later step reads along time. split, not narrow: its backward is one concatenation.
  const at::Tensor p = short_filter_->forward(in_proj_->forward(u).transpose(1, 2));
  const std::vector<at::Tensor> parts = at::split(p, channels_, /*dim=*/1);
  const std::vector<LongFilter> filters = filter_fn_->filters(u.size(1));
  const std::vector<at::Tensor> skips = filter_fn_->skips();

  at::Tensor v = parts.back();
  const std::size_t last = filters.size() - 1;
  for (std::size_t o = 0; o <= last; ++o) {
    ops::LongConvInputs inputs;
    inputs.u = v;
    inputs.k = filters[o].k;
    inputs.spectrum = filters[o].spectrum;
    inputs.skip = skips[o];
    inputs.gate_in = parts[filters.size() - o];  // x_{N-1-o}
    if (o == last) inputs.gate_out = parts[0];
    v = ops::long_conv(inputs, ops::ConvMode::causal);
  }
  // One transposing copy, so that the product runs as a plain GEMM with the bias in its epilogue.
  return out_proj_->forward(v.transpose(1, 2).contiguous());
}

}  // namespace longconv::models
