// The short causal depthwise convolution in float64 by plain loops:
//
//   y[b,c,t] = bias[c] + sum_{j<K} w[c,j] u[b,c,t-(K-1)+j],   u[.,.,<0] = 0
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

/// Tensors are row-major vectors; an empty bias is absent.
struct ShortConv {
  std::int64_t batch = 1;
  std::int64_t channels = 1;
  std::int64_t length = 1;
  std::int64_t taps = 1;
  std::vector<double> u;     ///< [B, C, L]
  std::vector<double> w;     ///< [C, K]
  std::vector<double> bias;  ///< [C]
};

/// y [B, C, L]
std::vector<double> short_conv(const ShortConv& x);

struct ShortConvGradients {
  std::vector<double> u, w, bias;
};

/// The gradients of sum(y * dy) for dy [B, C, L].
ShortConvGradients short_conv_backward(const ShortConv& x, const std::vector<double>& dy);

}  // namespace longconv::reference
