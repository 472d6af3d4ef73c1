// The implicit long filter of Hyena (arXiv:2302.10866, section 3.3 and appendix D.3): a small
// network over positional features, times a window that decays exponentially.
//
//   tau_t = t / (Lmax-1),  w_t = 2 pi t / Lmax,  f_b = linspace(1e-4, n-1, n),  n = (E-1)/2
//   z_t = [tau_t, cos(f_b w_t) ..., -sin(f_b w_t) ...]
//   h_t = W_{M+1} s(... s(W_0 z_t + b_0) ...),  s(x) = sin(freq * x)
//   h_{t,c} *= exp(-tau_t |delta_c|) + shift
//
// Features are made for Lmax positions; a shorter input uses their prefix, so a filter depends on
// Lmax. The parameters live in models/layers; here are the functions.
//
// implicit_filter() asks the table of core/kernels/implicit_filter.h first, whose rows keep no
// layer's output; its own last row `torch_mlp` takes the rest.
#pragma once

#include "core/kernels/implicit_filter.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longconv::ops {

struct PositionalFeatures {
  at::Tensor z;  ///< (1, Lmax, E)
  at::Tensor t;  ///< (1, Lmax, 1): tau
};

/// Computed in float64, then rounded to the options' dtype. emb_dim = E, odd and >= 3, l_max >= 2;
/// throws ShapeError otherwise.
PositionalFeatures positional_features(std::int64_t l_max, std::int64_t emb_dim,
                                       const at::TensorOptions& options);

/// linspace(ln(target) / slow, ln(target) / fast, channels) as (1, 1, channels): channel 0 decays
/// slowest. The published values are target 1e-2, slow 1.5, fast 0.3.
at::Tensor modulation_deltas(std::int64_t channels, double fast_decay_pct, double slow_decay_pct,
                             double target, const at::TensorOptions& options);

struct ImplicitFilterInputs {
  at::Tensor z;                      ///< (1, Lmax, E) or (Lmax, E)
  at::Tensor t;                      ///< (1, Lmax, 1) or (Lmax, 1), for the modulation
  std::vector<at::Tensor> weights;   ///< (F, E), M x (F, F), (channels, F)
  std::vector<at::Tensor> biases;    ///< (F), one fewer than weights: the last layer has none
  at::Tensor freq;                   ///< (1, F) or (F): one tensor for every activation
  std::optional<at::Tensor> deltas;  ///< `channels` values in any shape; none: no modulation
  double shift = 0.0;                ///< added to the decaying window
  bool normalized = false;           ///< divide by the L1 norm over channels at each step
};

/// h (length, channels), the filter's first `length` steps, in the parameters' dtype whatever
/// autocast says; h.t() may be what is contiguous. Differentiable (twice) in every tensor. Throws
/// ShapeError.
at::Tensor implicit_filter(const ImplicitFilterInputs& inputs, std::int64_t length);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) LibTorch's
/// operators, which keep every layer's output for backward.
struct ImplicitFilterRow {
  const char* name;
  const kernels::ImplicitFilterVariant* variant;
  /// A variant: float32 on its device, sizes within its limits, neither normalised nor with
  /// gradients of t or the deltas.
  [[nodiscard]] bool takes(const ImplicitFilterInputs& inputs) const;
};

/// The rows implicit_filter() chooses from, best first. Tests and benchmarks walk them.
std::span<const ImplicitFilterRow> implicit_filter_rows();

/// implicit_filter() through the given row; throws UnsupportedError if it does not take the inputs.
at::Tensor implicit_filter_with(const ImplicitFilterRow& row, const ImplicitFilterInputs& inputs,
                                std::int64_t length);

}  // namespace longconv::ops
