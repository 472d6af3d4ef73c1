// The long convolution on LibTorch tensors, with autograd:
//
//   v = g_in * u;   y = g_out * (conv(k, v) + skip * v)
//
// conv is one of (models: Hyena arXiv:2302.10866, M2 arXiv:2310.12109, LongConv arXiv:2302.06646)
//   causal          y[t] = sum_{s<=t} k[t-s] v[s]
//   bidirectional   y[t] = sum_{s<=t} kf[t-s] v[s] + sum_{s>t} kr[s-t-1] v[s]
//   conjugate       y[t] = sum_{s<=t} kf[t-s] v[s] + sum_{s>=t} kr[s-t] v[s]
//   circular        y[t] = sum_{s<K} k[s] v[(t-s) mod L]
//
// Asks the table of core/kernels/long_conv.h first; its own last row `torch_fft` takes every shape.
#pragma once

#include "core/kernels/long_conv.h"
#include "core/ops/filter_spectrum.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>

namespace longconv::ops {

using kernels::ConvMode;

struct LongConvInputs {
  at::Tensor u;  ///< (B, H, L): f64, f32, bf16 or f16
  at::Tensor k;  ///< (H, K) or (C, H, K): f32 (f64 with f64 u); taps beyond L ignored
  std::optional<at::Tensor> k_reverse;  ///< like k; bidirectional and conjugate only
  std::optional<at::Tensor> skip;       ///< (H) or (C, H), dtype of k
  std::optional<at::Tensor> gate_in;    ///< (B, H, L), dtype of u
  std::optional<at::Tensor> gate_out;   ///< (B, H, L), dtype of u
  /// Where the filter's spectrum is kept for further calls; none: every call makes its own.
  std::shared_ptr<FilterSpectrum> spectrum = nullptr;
};

/// y: (B, H, L), or (B, C, H, L) when k has three dimensions, in u's dtype. Differentiable (twice)
/// in every input; k_reverse may have another number of taps than k. Sums and transforms run in
/// float32 (float64 for float64 input) whatever u's dtype. Channel slices of a larger (B, H', L)
/// tensor are read in place. Throws ShapeError naming the argument, the shape wanted and what came.
at::Tensor long_conv(const LongConvInputs& inputs, ConvMode mode);

/// One way to run it: a variant of the kernels' table, or (last, `variant` is nullptr) torch_fft.
struct LongConvRow {
  const char* name;
  const kernels::LongConvVariant* variant;
  /// Whether it can run such a call at all; torch_fft can run every call.
  [[nodiscard]] bool takes(const kernels::LongConvShape& shape) const;
};

/// The rows long_conv() chooses from, best first. Tests and benchmarks walk them.
std::span<const LongConvRow> long_conv_rows();

/// Whether long_conv() chooses torch_fft for every call from now on, in every thread: to measure
/// what the kernels give, or to doubt them.
void set_long_conv_by_fft_only(bool only);

/// The row long_conv() chooses. Throws ShapeError as long_conv() does.
const LongConvRow& choose_long_conv_row(const LongConvInputs& inputs, ConvMode mode);

/// long_conv() through the given row; throws UnsupportedError if it does not take the inputs.
at::Tensor long_conv_with(const LongConvRow& row, const LongConvInputs& inputs, ConvMode mode);

}  // namespace longconv::ops
