// The short causal depthwise convolution on raw pointers:
//
//   y[b,c,t] = bias[c] + sum_{j<K} w[c,j] u[b,c,t-(K-1)+j],   u[.,.,<0] = 0
//
// The last tap weighs the present step (Hyena, arXiv:2302.10866, section 3.1). u may be given as a
// projection leaves it, channels last: the transposition happens on the way through shared memory.
// core/ops/short_conv.h wraps the table for autograd; core/reference/short_conv.h is its twin.
#pragma once

#include "core/base/dtype.h"

#include <cstdint>
#include <span>

namespace longconv::kernels {

inline constexpr std::int64_t kMaxShortTaps = 8;

/// The inputs and the output of one call, all on one device. One of u's last two strides must be 1.
struct ShortConvArgs {
  const void* u = nullptr;            ///< [B, C, L] by the strides below, dtype
  const void* w = nullptr;            ///< [C, K] contiguous, float (double for f64)
  const void* bias = nullptr;         ///< [C], like w, or nullptr for none
  void* y = nullptr;                  ///< [B, C, L] contiguous, dtype; overlaps no input
  std::int64_t u_batch_stride = 0;    ///< elements
  std::int64_t u_channel_stride = 0;  ///< elements; 1 if channels lie together
  std::int64_t u_time_stride = 0;     ///< elements; 1 if time steps lie together
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t length = 0;
  std::int64_t taps = 0;  ///< 1 .. kMaxShortTaps
  Dtype dtype = Dtype::f32;
};

/// What a backward call is given beside the inputs. Gradients are written, not added to; each may
/// be nullptr if nobody wants it.
struct ShortConvGradArgs {
  ShortConvArgs inputs;       ///< `y` is not read
  const void* dy = nullptr;   ///< [B, C, L] contiguous
  void* du = nullptr;         ///< in u's layout: contiguous either as [B, C, L] or as [B, L, C]
  void* dw = nullptr;         ///< [C, K], like w
  void* dbias = nullptr;      ///< [C], like w
  void* workspace = nullptr;  ///< backward_workspace_bytes() bytes, aligned to 256
};

/// One way to run it. Asynchronous on `stream` (nullptr on the CPU); deterministic: sums run in
/// float or wider, in an order that depends on the shape alone.
struct ShortConvVariant {
  const char* name;
  Device device;
  Dtype dtype;
  void (*forward)(const ShortConvArgs& args, Stream stream);
  void (*backward)(const ShortConvGradArgs& args, Stream stream);
  std::int64_t (*backward_workspace_bytes)(const ShortConvArgs& args);
};

/// The table, best first. Tests and benchmarks walk it too.
std::span<const ShortConvVariant> short_conv_variants();

/// The first variant for such tensors, or nullptr.
const ShortConvVariant* find_short_conv(Device device, Dtype dtype);

}  // namespace longconv::kernels
