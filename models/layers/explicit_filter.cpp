#include "models/layers/explicit_filter.h"

#include "core/ops/tap_regulariser.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/fft_irfft.h>
#include <ATen/ops/fft_rfft.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/real.h>
#include <fmt/format.h>

#include <algorithm>

namespace longconv::models {
namespace {

void require_odd(const config::Key<std::int64_t>& window) {
  if (window() != 0 && window() % 2 == 0) {
    window.fail(fmt::format("expected an odd window, or 0 for none, got {}", window()));
  }
}

/// `k` (C, H, taps) with `taps` cut or filled up with zeros to `length`.
at::Tensor with_length(const at::Tensor& k, std::int64_t length) {
  const std::int64_t taps = k.size(2);
  return taps >= length ? k.narrow(2, 0, length) : at::constant_pad_nd(k, {0, length - taps});
}

/// Correlation of each row of x (C, H, F) with `weights` (w), the same length, zeros outside.
at::Tensor correlate(const at::Tensor& x, const at::Tensor& weights) {
  const std::int64_t window = weights.size(0);
  return at::conv1d(x.reshape({-1, 1, x.size(2)}), weights.view({1, 1, window}), {}, {1},
                    at::IntArrayRef{window / 2})
      .view(x.sizes());
}

}  // namespace

at::Tensor double_exp_envelope(std::int64_t channels, std::int64_t taps,
                               const at::TensorOptions& options) {
  const auto wide = options.dtype(at::kDouble);
  const std::int64_t fastest = channels / 2;
  const at::Tensor rate = at::pow(at::Scalar(static_cast<double>(fastest)),
                                  at::arange(channels, wide) / static_cast<double>(channels));
  const at::Tensor share = at::arange(taps, wide) / static_cast<double>(taps);
  return (-rate.unsqueeze(1) * share).exp().to(options);
}

at::Tensor smooth_frequency(const at::Tensor& k, std::int64_t window) {
  const at::Tensor place = at::arange(window, k.options().requires_grad(false)) - window / 2;
  const at::Tensor weights = (-0.5 * place.square()).exp();
  const at::Tensor spectrum = at::fft_rfft(k);
  return at::fft_irfft(
      at::complex(correlate(at::real(spectrum), weights), correlate(at::imag(spectrum), weights)),
      k.size(2));
}

ExplicitFilter::ExplicitFilter(const FilterConfig& config, std::int64_t count,
                               std::int64_t channels, std::int64_t l_max,
                               const at::TensorOptions& options)
    : count_(count),
      bidirectional_(config.bidirectional()),
      squash_(config.squash()),
      smooth_(config.smooth()),
      smooth_freq_(config.smooth_freq()),
      dropout_(config.dropout()),
      alias_(config.alias()) {
  require_odd(config.smooth);
  require_odd(config.smooth_freq);
  if (smooth_ > 0 && smooth_freq_ > 0) {
    config.smooth_freq.fail("smoothing is over time or over frequencies; set one window to 0");
  }
  const std::int64_t rows = bidirectional_ ? 2 * count_ : count_;
  at::Tensor start = at::randn({rows, channels, l_max}, options);
  if (config.init() == "random") {
    start *= 0.002;
  } else {
    start *= 0.02 * double_exp_envelope(channels, l_max, options);
  }
  kernel = register_parameter("kernel", start);
}

at::Tensor ExplicitFilter::regularised() const {
  const bool over_frequencies = smooth_freq_ > 0;
  return ops::regularise_taps(
      over_frequencies ? smooth_frequency(kernel, smooth_freq_) : kernel,
      {std::max<std::int64_t>(1, smooth_), squash_, is_training() ? dropout_ : 0.0});
}

FilterPair ExplicitFilter::filters(std::int64_t length) const {
  const at::Tensor all = regularised();
  const at::Tensor forward = all.narrow(0, 0, count_);
  const at::Tensor reverse = bidirectional_ ? all.narrow(0, count_, count_) : at::Tensor();
  const std::int64_t l_max = kernel.size(2);
  if (!alias_ || length == l_max) {
    return {forward.narrow(2, 0, length),
            reverse.defined() ? reverse.narrow(2, 0, length) : reverse};
  }
  // K[p] = forward[p] + (p >= L ? reverse[l_max - 1 - (p - L)] : 0) on a circle of 2 L steps; its
  // second half are the steps to come, read from the end: K[2 L - 1 - s] belongs to step s + 1.
  at::Tensor ahead = with_length(forward, 2 * length).narrow(2, length, length).flip({2});
  if (reverse.defined()) ahead = ahead + reverse.narrow(2, l_max - length, length);
  return {forward.narrow(2, 0, length), ahead};
}

}  // namespace longconv::models
