// What an implicit filter's network reads and its window decays by; made once, in float64.
#define AT_PER_OPERATOR_HEADERS
#include "core/base/check.h"
#include "core/ops/implicit_filter.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/div.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/sin.h>

#include <cmath>
#include <numbers>

namespace longconv::ops {

PositionalFeatures positional_features(std::int64_t l_max, std::int64_t emb_dim,
                                       const at::TensorOptions& options) {
  LONGCONV_CHECK(emb_dim >= 3 && emb_dim % 2 == 1, ShapeError,
                 "positional_features: emb_dim must be odd and at least 3, got {}", emb_dim);
  LONGCONV_CHECK(l_max >= 2, ShapeError, "positional_features: l_max must be at least 2, got {}",
                 l_max);
  const at::TensorOptions exact = at::TensorOptions().dtype(at::kDouble);
  const std::int64_t bands = (emb_dim - 1) / 2;
  const at::Tensor step = at::arange(l_max, exact).unsqueeze(1);
  const at::Tensor tau = at::div(step, static_cast<double>(l_max - 1));
  const at::Tensor omega = at::mul(step, 2.0 * std::numbers::pi / static_cast<double>(l_max));
  const at::Tensor f = at::linspace(1e-4, static_cast<double>(bands - 1), bands, exact);
  const at::Tensor angle = at::mul(omega, f.unsqueeze(0));
  const at::Tensor z = at::cat({tau, at::cos(angle), at::neg(at::sin(angle))}, 1);
  return {z.unsqueeze(0).to(options), tau.unsqueeze(0).to(options)};
}

at::Tensor modulation_deltas(std::int64_t channels, double fast_decay_pct, double slow_decay_pct,
                             double target, const at::TensorOptions& options) {
  LONGCONV_CHECK(channels >= 1 && fast_decay_pct > 0 && slow_decay_pct > 0 && target > 0,
                 ShapeError,
                 "modulation_deltas: wants channels >= 1 and decays and target > 0, got {}, {}, "
                 "{}, {}",
                 channels, fast_decay_pct, slow_decay_pct, target);
  const double log_target = std::log(target);
  return at::linspace(log_target / slow_decay_pct, log_target / fast_decay_pct, channels,
                      at::TensorOptions().dtype(at::kDouble))
      .view({1, 1, channels})
      .to(options);
}

}  // namespace longconv::ops
