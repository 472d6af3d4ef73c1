#include "models/layers/h3_conv.h"

#include "core/ops/long_conv.h"
#include "core/ops/transposed_linear.h"

#include <ATen/ops/randn.h>

namespace longconv::models {

H3Conv::H3Conv(const ModelConfig& config, const at::TensorOptions& options) {
  if (config.filter.bidirectional()) {
    config.filter.bidirectional.fail("expected false: this family is a causal language model");
  }
  if (config.filter.alias()) {
    config.filter.alias.fail("expected false: late taps that wrap around would look ahead");
  }
  const std::int64_t d = config.d_model();
  const auto linear = [&](const char* name) {
    return register_module(name, std::make_shared<Linear>(d, d, /*with_bias=*/true, options));
  };
  const auto filter = [&](const char* name) {
    return register_module(name, std::make_shared<ExplicitFilter>(config.filter, /*count=*/1, d,
                                                                  config.l_max(), options));
  };
  q_proj_ = linear("q_proj");
  k_proj_ = linear("k_proj");
  v_proj_ = linear("v_proj");
  k_kernel_ = filter("k_kernel");
  k_skip_ = register_parameter("k_D", at::randn({d}, options));
  kernel_ = filter("kernel");
  skip_ = register_parameter("D", at::randn({d}, options));
  output_linear_ = linear("output_linear");
}

at::Tensor H3Conv::forward(const at::Tensor& u) {
  const std::int64_t length = u.size(1);
  const auto time_last = [](const at::Tensor& x) { return x.transpose(1, 2).contiguous(); };
  ops::LongConvInputs shift;
  shift.u = time_last(k_proj_->forward(u));
  shift.k = k_kernel_->filters(length).k.squeeze(0);
  shift.skip = k_skip_;
  ops::LongConvInputs gated;
  gated.gate_in = ops::long_conv(shift, ops::ConvMode::causal);
  gated.u = time_last(v_proj_->forward(u));
  gated.k = kernel_->filters(length).k.squeeze(0);
  gated.skip = skip_;
  gated.gate_out = time_last(q_proj_->forward(u));
  return ops::transposed_linear(ops::long_conv(gated, ops::ConvMode::causal),
                                output_linear_->weight, output_linear_->bias);
}

}  // namespace longconv::models
