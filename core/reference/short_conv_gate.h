// The projection's short convolution, split and first gate in float64 by plain loops:
//
//   s[b,c,t] = bias[c] + sum_{j<K} w[c,j] p[b,t-(K-1)+j,c],   p[b,<0,c] = 0
//   gates[b,c,t] = s[b,c,t],  c < (N-1) D;   product[b,d,t] = s[b,(N-1)D+d,t] s[b,ND+d,t]
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

/// Tensors are row-major vectors; an empty bias is absent.
struct ShortConvGate {
  std::int64_t batch = 1;
  std::int64_t channels = 1;  ///< D
  std::int64_t order = 2;     ///< N
  std::int64_t length = 1;
  std::int64_t taps = 1;
  std::vector<double> p;     ///< [B, L, (N+1) D]
  std::vector<double> w;     ///< [(N+1) D, K]
  std::vector<double> bias;  ///< [(N+1) D]
};

struct GatedParts {
  std::vector<double> gates;    ///< [B, (N-1) D, L]
  std::vector<double> product;  ///< [B, D, L]
};

GatedParts short_conv_gate(const ShortConvGate& x);

struct ShortConvGateGradients {
  std::vector<double> p, w, bias;
};

/// The gradients of sum(gates * d.gates) + sum(product * d.product).
ShortConvGateGradients short_conv_gate_backward(const ShortConvGate& x, const GatedParts& d);

}  // namespace longconv::reference
