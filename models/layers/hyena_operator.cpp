#include "models/layers/hyena_operator.h"

#include "core/base/check.h"
#include "core/ops/long_conv.h"
#include "core/ops/short_conv_gate.h"
#include "core/ops/transposed_linear.h"

#include <ATen/ops/split.h>

#include <algorithm>

namespace longconv::models {

HyenaOperator::HyenaOperator(const ModelConfig& config, const at::TensorOptions& options)
    : channels_(config.d_model()), l_max_(config.l_max()), max_taps_(config.filter.max_taps()) {
  if (l_max_ < 2) {
    config.l_max.fail(fmt::format(
        "the length the filters are built for must be set, at least 2 (e.g. 1024), got {}",
        l_max_));
  }
  if (config.filter.bidirectional()) {
    config.filter.bidirectional.fail("the Hyena operator is causal; expected false, got true");
  }
  if (max_taps_ > l_max_) {
    config.filter.max_taps.fail(
        fmt::format("expected at most model.l_max = {}, for which the filters are built, got {}",
                    l_max_, max_taps_));
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
  LONGCONV_CHECK(max_taps_ > 0 || u.size(1) <= l_max_, ShapeError,
                 "hyena operator: u has {} positions, but the filters were built for l_max = {}; "
                 "shorten the input, build with a larger l_max or set filter.max_taps",
                 u.size(1), l_max_);
  // One pass reads the product's (B, L, C) and writes (B, C, L), which every later step reads along
  // time: short convolution, split, and the first gate, x_{N-1} v.
  const ops::GatedParts parts =
      short_filter_->forward(in_proj_->forward(u), filter_fn_->count() + 1);
  const std::int64_t taps = max_taps_ > 0 ? std::min(max_taps_, u.size(1)) : u.size(1);
  const std::vector<LongFilter> filters = filter_fn_->filters(taps);
  const std::vector<at::Tensor> skips = filter_fn_->skips();
  // x_0, .., x_{N-2}. split, not narrow: its backward is one concatenation, and none for one gate.
  const std::vector<at::Tensor> gates = filters.size() == 1
                                            ? std::vector<at::Tensor>{parts.gates}
                                            : at::split(parts.gates, channels_, /*dim=*/1);

  at::Tensor v = parts.product;
  const std::size_t last = filters.size() - 1;
  for (std::size_t o = 0; o <= last; ++o) {
    ops::LongConvInputs inputs;
    inputs.u = v;
    inputs.k = filters[o].k;
    inputs.spectrum = filters[o].spectrum;
    inputs.skip = skips[o];
    if (o > 0) inputs.gate_in = gates[last + 1 - o];  // x_{N-1-o}
    if (o == last) inputs.gate_out = gates[0];
    v = ops::long_conv(inputs, ops::ConvMode::causal);
  }
  return ops::transposed_linear(v, out_proj_->weight, out_proj_->bias);
}

}  // namespace longconv::models
