// The implicit filter of Hyena, network and window in one pass, on raw pointers:
//
//   x_0 = z_t,  p_l = W_l x_l + b_l,  x_{l+1} = sin(freq * p_l)      l = 0 .. layers-1
//   h[c,t] = (W_layers x_layers)[c] (exp(-tau_t |delta_c|) + shift)
//
// (arXiv:2302.10866, section 3.3 and appendix D.3.) No layer's output is kept: the backward call
// runs the network again, tile by tile. core/ops/implicit_filter.h wraps the table for autograd;
// core/reference/implicit_filter.h is its twin.
#pragma once

#include "core/base/dtype.h"

#include <cstdint>
#include <span>

namespace longconv::kernels {

inline constexpr int kMaxSineLayers = 6;       ///< their sums still fit beside 128 units
inline constexpr int kMaxFilterFeatures = 64;  ///< E
inline constexpr int kMaxFilterWidth = 128;    ///< F

/// One call. All pointers are float, contiguous and on one device; nothing overlaps an output.
struct ImplicitFilterArgs {
  const float* z = nullptr;                       ///< [L, E]
  const float* tau = nullptr;                     ///< [L]; not read without deltas
  const float* weights[kMaxSineLayers + 1] = {};  ///< [F, E], [F, F] .., [D, F]
  const float* biases[kMaxSineLayers] = {};       ///< [F] each
  const float* freq = nullptr;                    ///< [F]
  const float* deltas = nullptr;                  ///< [D], or nullptr: no window
  float shift = 0.0f;                             ///< added to the decay
  float* h = nullptr;                             ///< [D, L]: time last, as convolutions read
  std::int64_t length = 0;                        ///< L
  std::int64_t features = 0;                      ///< E <= kMaxFilterFeatures
  std::int64_t width = 0;                         ///< F <= kMaxFilterWidth
  std::int64_t layers = 0;                        ///< sines, 1 .. kMaxSineLayers
  std::int64_t channels = 0;                      ///< D
};

/// What a backward call is given beside the inputs (`h` is not read). Gradients are written, not
/// added to; each may be nullptr if nobody wants it. tau and deltas have none.
struct ImplicitFilterGradArgs {
  ImplicitFilterArgs inputs;
  const float* dh = nullptr;  ///< [D, L]
  float* dz = nullptr;        ///< [L, E]
  float* dweights[kMaxSineLayers + 1] = {};
  float* dbiases[kMaxSineLayers] = {};
  float* dfreq = nullptr;     ///< [F]: the sum over every activation
  void* workspace = nullptr;  ///< backward_workspace_bytes() bytes, aligned to 256
};

/// One way to run it. Asynchronous on `stream`; deterministic: sums run in an order that depends on
/// the shape alone. Products and sums are as exact as float32's.
struct ImplicitFilterVariant {
  const char* name;
  Device device;
  std::int64_t max_features;
  std::int64_t max_width;
  std::int64_t max_layers;
  void (*forward)(const ImplicitFilterArgs& args, Stream stream);
  void (*backward)(const ImplicitFilterGradArgs& args, Stream stream);
  std::int64_t (*backward_workspace_bytes)(const ImplicitFilterGradArgs& args);
};

/// The table, best first; empty without CUDA. Tests and benchmarks walk it too.
std::span<const ImplicitFilterVariant> implicit_filter_variants();

}  // namespace longconv::kernels
