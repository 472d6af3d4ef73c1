// The long convolution on raw pointers: the arguments of one call and the table of variants.
//
//   v = g_in * u;   y[b,c,h,t] = g_out[b,h,t] * (conv(k[c,h], v[b,h])[t] + skip[c,h] v[b,h,t])
//
// conv is one of the four modes below (Hyena arXiv:2302.10866, LongConv arXiv:2302.06646, M2
// arXiv:2310.12109). core/ops/long_conv.h wraps the table for autograd and has a last row of its
// own for what no variant takes; core/reference/long_conv.h is the plain-loop twin.
#pragma once

#include "core/base/dtype.h"

#include <cstdint>
#include <limits>
#include <span>

namespace longconv::kernels {

enum class ConvMode {
  causal,         ///< sum_{s<=t} k[t-s] v[s]
  bidirectional,  ///< causal + sum_{s>t} k_reverse[s-t-1] v[s]
  conjugate,      ///< causal + sum_{s>=t} k_reverse[s-t] v[s]
  circular,       ///< sum_{s<K} k[s] v[(t-s) mod L], K <= L
};

/// The inputs and the output of one call. All pointers live on one device. `k`, `k_reverse` and
/// `skip` are float (double when dtype is f64); everything else has `dtype`. Time is the fastest
/// dimension, the rows (h) of one batch element lie L apart, batch elements a stride apart: a slice
/// of channels of a larger tensor needs no copy. Sums are kept in float or wider.
struct LongConvArgs {
  const void* u = nullptr;          ///< [B, H, L]
  const void* gate_in = nullptr;    ///< [B, H, L], or nullptr for none
  const void* gate_out = nullptr;   ///< [B, H, L], or nullptr for none
  const void* k = nullptr;          ///< [C, H, K]; k[c,h,0] weighs the present step
  const void* k_reverse = nullptr;  ///< [C, H, K']; bidirectional and conjugate only
  const void* skip = nullptr;       ///< [C, H], or nullptr for none
  void* y = nullptr;                ///< [B, C, H, L] contiguous; overlaps no input
  std::int64_t u_batch_stride = 0;  ///< elements; H * L when contiguous
  std::int64_t gate_in_batch_stride = 0;
  std::int64_t gate_out_batch_stride = 0;
  std::int64_t batch = 0;          ///< B
  std::int64_t filters = 1;        ///< C, filters per channel
  std::int64_t channels = 0;       ///< H
  std::int64_t length = 0;         ///< L, time steps
  std::int64_t taps = 0;           ///< K; taps beyond L are ignored
  std::int64_t reverse_taps = 0;   ///< K'
  const void* spectrum = nullptr;  ///< what the variant's `make_spectrum` made of k and k_reverse
  void* workspace = nullptr;       ///< `forward`'s, of `forward_workspace_bytes`, aligned to 16
  Dtype dtype = Dtype::f32;
  ConvMode mode = ConvMode::causal;
};

/// What a backward call is given beside the forward's inputs (`inputs.y` is not read). Every
/// gradient is contiguous, has its input's shape and dtype, and may be nullptr if nobody wants it;
/// it is written, not added to. Gradients of ignored taps are 0.
struct LongConvGradArgs {
  LongConvArgs inputs;
  const void* dy = nullptr;  ///< [B, C, H, L] contiguous
  void* du = nullptr;
  void* dgate_in = nullptr;
  void* dgate_out = nullptr;
  void* dk = nullptr;
  void* dk_reverse = nullptr;
  void* dskip = nullptr;
  void* workspace = nullptr;  ///< the variant's `workspace_bytes`, aligned to 16; contents are lost
};

inline constexpr std::int64_t kAnyLength = std::numeric_limits<std::int64_t>::max();

/// One way to run it. Launchers are asynchronous on `stream` (nullptr on the CPU) and
/// deterministic: the same arguments give the same bits, and a row's result does not depend on its
/// batch.
struct LongConvVariant {
  const char* name;
  Device device;
  Dtype dtype;
  std::int64_t max_length;  ///< what it can do
  std::int64_t best_taps;   ///< min(K, L) up to which it is also the fastest choice (measured)
  void (*forward)(const LongConvArgs& args, Stream stream);
  void (*backward)(const LongConvGradArgs& args, Stream stream);
  bool only_one_filter = false;  ///< takes C = 1 only
  /// Rows that read a spectrum instead of k: its size, and how to make it. It depends on the
  /// filter, L and the mode alone, so one serves any number of calls, forward and backward.
  std::int64_t (*spectrum_bytes)(const LongConvArgs& args) = nullptr;
  void (*make_spectrum)(const LongConvArgs& args, void* spectrum, Stream stream) = nullptr;
  /// Scratch memory of `backward`, if it wants any, and of `forward`.
  std::int64_t (*workspace_bytes)(const LongConvGradArgs& args) = nullptr;
  /// Sums by transforms, in fp16 or for float32 tensors in float32: their noise, about 2^-11 or
  /// 2^-21 of a row's root mean square, reaches every output of the row, earlier ones too.
  bool by_transform = false;
  /// Whether the current device can run it, if not every one of its kind can.
  bool (*runs_here)() = nullptr;
  std::int64_t (*forward_workspace_bytes)(const LongConvArgs& args) = nullptr;
  std::int64_t best_from = 0;  ///< length from which it is worth its padding
};

/// What a variant is chosen by: never the batch, so that a row's bits do not depend on its company.
struct LongConvShape {
  Device device = Device::cpu;
  Dtype dtype = Dtype::f32;
  std::int64_t length = 0;
  std::int64_t taps = 0;
  std::int64_t filters = 1;
  ConvMode mode = ConvMode::causal;
};

/// Whether the variant can run such a call at all.
bool takes(const LongConvVariant& variant, const LongConvShape& shape);

/// The table, best first. Tests and benchmarks walk it too.
std::span<const LongConvVariant> long_conv_variants();

/// The first variant that is the right choice for such a call, or nullptr.
const LongConvVariant* find_long_conv(const LongConvShape& shape);

}  // namespace longconv::kernels
