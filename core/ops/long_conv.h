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

#include <ATen/core/Tensor.h>

#include <optional>

namespace longconv::ops {

enum class ConvMode { causal, bidirectional, conjugate, circular };

struct LongConvInputs {
  at::Tensor u;                          ///< (B, H, L): f64, f32, bf16 or f16
  at::Tensor k;                          ///< (H, K) or (C, H, K): f32 (f64 with f64 u); taps beyond L ignored
  std::optional<at::Tensor> k_reverse;   ///< like k; bidirectional and conjugate only
  std::optional<at::Tensor> skip;        ///< (H) or (C, H), dtype of k
  std::optional<at::Tensor> gate_in;     ///< (B, H, L), dtype of u
  std::optional<at::Tensor> gate_out;    ///< (B, H, L), dtype of u
};

/// y: (B, H, L), or (B, C, H, L) when k has three dimensions, in u's dtype. Differentiable (twice)
/// in every input. Sums and transforms run in float32 (float64 for float64 input) whatever u's
/// dtype. Throws ShapeError naming the argument, the shape wanted and the shape that came.
at::Tensor long_conv(const LongConvInputs& inputs, ConvMode mode);

}  // namespace longconv::ops
