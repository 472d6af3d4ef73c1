#define AT_PER_OPERATOR_HEADERS
#include "core/ops/implicit_filter.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/div.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/sin.h>

#include <cmath>
#include <numbers>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "implicit_filter";

/// (1, Lmax, X) or (Lmax, X) as its first `length` rows.
at::Tensor prefix(const at::Tensor& features, std::int64_t length, const char* argument) {
  const at::Tensor rows = features.defined() && features.dim() == 3 && features.size(0) == 1
                              ? features.squeeze(0)
                              : features;
  LONGCONV_CHECK(rows.defined() && rows.dim() == 2 && rows.size(0) >= length && length >= 1,
                 ShapeError, "{}: {} must be [1, Lmax, E] with Lmax >= {}, got {}", kOp, argument,
                 length, describe(features));
  return rows.narrow(0, 0, length);
}

void check_layers(const ImplicitFilterInputs& in) {
  LONGCONV_CHECK(in.weights.size() >= 2 && in.biases.size() + 1 == in.weights.size(), ShapeError,
                 "{}: wants at least 2 weights and one bias fewer, got {} weights and {} biases",
                 kOp, in.weights.size(), in.biases.size());
  std::int64_t width = in.z.size(-1);
  for (std::size_t i = 0; i < in.weights.size(); ++i) {
    const at::Tensor& w = in.weights[i];
    LONGCONV_CHECK(w.defined() && w.dim() == 2 && w.size(1) == width, ShapeError,
                   "{}: weight {} must be [out, {}], got {}", kOp, i, width, describe(w));
    width = w.size(0);
    if (i < in.biases.size()) {
      expect_tensor(in.biases[i], kOp, "bias", {width}, w.scalar_type(), w.device(),
                    "to match weight " + std::to_string(i));
      LONGCONV_CHECK(in.freq.defined() && in.freq.numel() == width, ShapeError,
                     "{}: freq must have {} values, one a unit, got {}", kOp, width,
                     describe(in.freq));
    }
  }
  LONGCONV_CHECK(!in.deltas || in.deltas->numel() == width, ShapeError,
                 "{}: deltas must have {} values, one a channel, got {}", kOp, width,
                 describe(*in.deltas));
}

}  // namespace

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

at::Tensor implicit_filter(const ImplicitFilterInputs& in, std::int64_t length) {
  const NoAutocast no_autocast;
  at::Tensor h = prefix(in.z, length, "z");
  check_layers(in);
  const at::Tensor freq = in.freq.view({1, -1});
  for (std::size_t i = 0; i < in.biases.size(); ++i) {
    h = at::sin(at::mul(freq, at::linear(h, in.weights[i], in.biases[i])));
  }
  h = at::linear(h, in.weights.back());
  if (in.deltas) {
    const at::Tensor decay = at::abs(*in.deltas).view({1, -1});
    const at::Tensor window = at::exp(at::neg(at::mul(prefix(in.t, length, "t"), decay)));
    h = at::mul(h, in.shift == 0.0 ? window : at::add(window, in.shift));
  }
  if (in.normalized) {
    h = at::div(h, at::abs(h).sum(at::IntArrayRef{-1}, /*keepdim=*/true));
  }
  return h;
}

}  // namespace longconv::ops
