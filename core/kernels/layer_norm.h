// Layer normalisation over the last dimension, on raw pointers:
//
//   y = (x - mean) / sqrt(var + eps) * weight + bias,   var over D, biased
//
// It reads the residual stream in float32 and delivers y in the dtype of the product that follows,
// so that no cast has a pass of its own; backward makes every gradient in one reading of x and dy.
// core/ops/layer_norm.h wraps the table for autograd; core/reference/layer_norm.h is its twin.
#pragma once

#include "core/base/dtype.h"

#include <cstdint>
#include <span>

namespace longconv::kernels {

/// One call. Everything is contiguous and on one device; no output overlaps an input.
struct LayerNormArgs {
  const float* x = nullptr;       ///< [R, D]
  const float* weight = nullptr;  ///< [D]
  const float* bias = nullptr;    ///< [D]
  void* y = nullptr;              ///< [R, D], dtype
  float* mean = nullptr;          ///< [R]: kept for backward
  float* scale = nullptr;         ///< [R]: 1 / sqrt(var + eps)
  std::int64_t rows = 0;
  std::int64_t channels = 0;  ///< D
  double eps = 1e-5;
  Dtype dtype = Dtype::f32;  ///< of y
};

/// Beside the inputs (`y` is not read, mean and scale are): gradients are written, not added to;
/// each may be nullptr if nobody wants it.
struct LayerNormGradArgs {
  LayerNormArgs inputs;
  const void* dy = nullptr;   ///< [R, D], dtype
  float* dx = nullptr;        ///< [R, D]
  float* dweight = nullptr;   ///< [D]
  float* dbias = nullptr;     ///< [D]
  void* workspace = nullptr;  ///< backward_workspace_bytes() bytes, aligned to 256
};

/// One way to run it, for channels that are a multiple of 4. Asynchronous on `stream`;
/// deterministic: sums run in float in an order that depends on the shape alone.
struct LayerNormVariant {
  const char* name;
  Device device;
  Dtype dtype;
  std::int64_t max_channels;
  void (*forward)(const LayerNormArgs& args, Stream stream);
  void (*backward)(const LayerNormGradArgs& args, Stream stream);
  std::int64_t (*backward_workspace_bytes)(const LayerNormArgs& args);
};

/// The table, best first; empty without CUDA. Tests and benchmarks walk it too.
std::span<const LayerNormVariant> layer_norm_variants();

}  // namespace longconv::kernels
