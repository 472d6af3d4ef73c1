// The long convolution in float64 by plain loops: what it means, to be read beside the papers.
//
//   v = g_in * u;   y[b,c,h,t] = g_out[b,h,t] * (sum_s w_{c,h}(t-s) v[b,h,s] + skip[c,h] v[b,h,t])
//
// where w is the weight of a lag (t-s) under the mode, see weight(). Slow on purpose.
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

enum class ConvMode { causal, bidirectional, conjugate, circular };

/// Tensors are row-major vectors; an empty one is absent.
struct LongConv {
  std::int64_t batch = 1;         ///< B
  std::int64_t filters = 1;       ///< C
  std::int64_t channels = 1;      ///< H
  std::int64_t length = 1;        ///< L
  std::int64_t taps = 1;          ///< K
  std::int64_t reverse_taps = 0;  ///< K'
  ConvMode mode = ConvMode::causal;
  std::vector<double> u;          ///< [B, H, L]
  std::vector<double> k;          ///< [C, H, K]
  std::vector<double> k_reverse;  ///< [C, H, K']
  std::vector<double> skip;       ///< [C, H]
  std::vector<double> gate_in;    ///< [B, H, L]
  std::vector<double> gate_out;   ///< [B, H, L]
};

/// y [B, C, H, L]
std::vector<double> long_conv(const LongConv& x);

/// One gradient for each input that is there.
struct LongConvGradients {
  std::vector<double> u, k, k_reverse, skip, gate_in, gate_out;
};

/// The gradients of sum(y * dy) for dy [B, C, H, L].
LongConvGradients long_conv_backward(const LongConv& x, const std::vector<double>& dy);

}  // namespace longconv::reference
