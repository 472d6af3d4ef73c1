// The short convolution of Hyena's projection, its split and its first gate in one pass, on raw
// pointers:
//
//   s[b,c,t] = bias[c] + sum_{j<K} w[c,j] p[b,t-(K-1)+j,c],   p[b,<0,c] = 0
//   x_0, .., x_{N-1}, v = split(s)                            (D channels each)
//   gates = x_0, .., x_{N-2};   product = x_{N-1} v
//
// (Hyena, arXiv:2302.10866, definition 3.1 with its short filters.) The projection p is read as the
// matrix product leaves it, channels last, and written with time last, as long convolutions read:
// no transposition has a pass of its own. core/ops/short_conv_gate.h wraps the table for autograd;
// core/reference/short_conv_gate.h is its twin.
#pragma once

#include "core/base/dtype.h"
#include "core/kernels/short_conv.h"  // kMaxShortTaps

#include <cstdint>
#include <span>

namespace longconv::kernels {

/// The inputs and the outputs of one call, all contiguous and on one device. C = (N+1) D.
struct ShortConvGateArgs {
  const void* p = nullptr;     ///< [B, L, C], dtype
  const void* w = nullptr;     ///< [C, K], float (double for f64)
  const void* bias = nullptr;  ///< [C], like w, or nullptr for none
  void* gates = nullptr;       ///< [B, (N-1) D, L], dtype; overlaps no input
  void* product = nullptr;     ///< [B, D, L], dtype; overlaps no input
  std::int64_t batch = 0;
  std::int64_t channels = 0;  ///< D
  std::int64_t order = 2;     ///< N >= 1
  std::int64_t length = 0;
  std::int64_t taps = 0;  ///< 1 .. kMaxShortTaps
  Dtype dtype = Dtype::f32;
};

/// What a backward call is given beside the inputs (`gates` and `product` are not read). Gradients
/// are written, not added to; each may be nullptr if nobody wants it.
struct ShortConvGateGradArgs {
  ShortConvGateArgs inputs;
  const void* dgates = nullptr;    ///< [B, (N-1) D, L] contiguous; not read if N = 1
  const void* dproduct = nullptr;  ///< [B, D, L] contiguous
  void* dp = nullptr;              ///< [B, L, C]
  void* dw = nullptr;              ///< [C, K], like w
  void* dbias = nullptr;           ///< [C], like w
  void* workspace = nullptr;       ///< backward_workspace_bytes() bytes, aligned to 256
};

/// One way to run it. Asynchronous on `stream` (nullptr on the CPU); deterministic: sums run in
/// float or wider, in an order that depends on the shape alone. s is not rounded before the gate.
struct ShortConvGateVariant {
  const char* name;
  Device device;
  Dtype dtype;
  void (*forward)(const ShortConvGateArgs& args, Stream stream);
  void (*backward)(const ShortConvGateGradArgs& args, Stream stream);
  std::int64_t (*backward_workspace_bytes)(const ShortConvGateArgs& args);
};

/// The table, best first. Tests and benchmarks walk it too.
std::span<const ShortConvGateVariant> short_conv_gate_variants();

}  // namespace longconv::kernels
