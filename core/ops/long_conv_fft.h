// The last row of the long convolution: LibTorch's real FFTs, any shape, dtype and device.
//
// One filter of period n holds everything that is linear in v: taps, reverse taps and the skip,
// which is a delta at lag 0 (the transforms run in float32 or wider, whose noise is below the
// rounding of adding the skip afterwards). n is L for circular filters, else a fast size that keeps
// the wanted lags apart. With V = rfft(v), F = rfft(filter) / n:
//
//   conv = irfft(V F)      dv = irfft(G conj(F))      dfilter = irfft(sum_b G conj(V)) / n
//
// where G = rfft(g_out * dy) and irfft is not normalised.
#pragma once

#include "core/ops/long_conv.h"

namespace longconv::ops::fft {

/// Checked inputs in one shape: k, k_reverse (C, H, K), skip (C, H); undefined where there is none.
struct Problem {
  at::Tensor u, k, k_reverse, skip, gate_in, gate_out;
  ConvMode mode = ConvMode::causal;
  [[nodiscard]] std::int64_t length() const { return u.size(-1); }
};

/// Which gradients are wanted.
struct Wanted {
  bool u = true, k = true, k_reverse = true, skip = true, gate_in = true, gate_out = true;
};

struct Gradients {
  at::Tensor u, k, k_reverse, skip, gate_in, gate_out;
};

/// F above: (C, H, n/2+1).
at::Tensor filter_spectrum(const Problem& problem);

/// y (B, C, H, L) in u's dtype.
at::Tensor forward(const Problem& problem, const at::Tensor& spectrum);

/// Gradients for dy (B, C, H, L). With grad mode on every step is itself differentiable, and
/// `spectrum` is then made anew from the filters.
Gradients backward(const Problem& problem, at::Tensor spectrum, const at::Tensor& dy,
                   const Wanted& wanted);

/// The smallest even size >= `least` with no prime factor above 7.
std::int64_t fast_size(std::int64_t least);

}  // namespace longconv::ops::fft
