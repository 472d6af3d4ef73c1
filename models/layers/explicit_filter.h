// The filters of LongConv (arXiv:2302.06646; models.md 4.1): a parameter a tap, regularised anew in
// each pass, in this order:
//
//   smooth        k <- mean over an odd window of time, zeros outside counted; or over frequency:
//                 the spectrum correlated with exp(-(i - w/2)^2 / 2), not normalised
//   squash        k <- sign(k) max(|k| - lambda, 0)
//   dropout       taps set to 0 with probability p, the others / (1 - p); only in training
//
// core/ops/tap_regulariser.h does all of it but the smoothing over frequencies in one pass. Squash
// has no gradient where |k| <= lambda and filters decay by no weight decay, so a tap that
// starts there never moves (unless smoothing mixes it with a live one). Names: kernel.
#pragma once

#include "models/config.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace longconv::models {

/// Filters over past and present steps, and over those to come from the next step on.
struct FilterPair {
  at::Tensor k;          ///< (C, H, length)
  at::Tensor k_reverse;  ///< (C, H, length), or undefined: causal
};

class ExplicitFilter : public torch::nn::Module {
 public:
  /// `count` filters C for each of `channels` H. Throws ConfigError at the key's line.
  ExplicitFilter(const FilterConfig& config, std::int64_t count, std::int64_t channels,
                 std::int64_t l_max, const at::TensorOptions& options);

  /// For inputs of `length` <= l_max steps: the first taps, or with filter.alias all taps on the
  /// circle of 2 length steps (quirk LC-2), which look ahead also where the filter is causal.
  [[nodiscard]] FilterPair filters(std::int64_t length) const;
  /// What the convolution uses of `kernel`, in its shape.
  [[nodiscard]] at::Tensor regularised() const;

  at::Tensor kernel;  ///< (C, H, l_max); bidirectional (2 C, H, l_max), reverse filters behind

 private:
  std::int64_t count_;  ///< C
  bool bidirectional_;
  double squash_;
  std::int64_t smooth_;
  std::int64_t smooth_freq_;
  double dropout_;
  bool alias_;
};

/// exp(-(j / taps) floor(channels / 2)^(i / channels)) for channel i and tap j, (channels, taps).
at::Tensor double_exp_envelope(std::int64_t channels, std::int64_t taps,
                               const at::TensorOptions& options);
/// Smoothing over frequencies (models.md 4.1) along the last dimension of k (C, H, L).
at::Tensor smooth_frequency(const at::Tensor& k, std::int64_t window);

}  // namespace longconv::models
