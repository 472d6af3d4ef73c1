// Filter spectra for the ring kernels and the way back from a gradient's
// (long_conv_ring_filter.cu).
#pragma once

#include "core/kernels/long_conv.h"
#include "core/plan/ring_plan.h"

#include <vector_types.h>

namespace longconv::kernels::cuda {

/// Bytes of the spectra of all C H filters: M complex fp16 values and one float each, or for
/// float32 tensors M complex floats.
inline std::int64_t ring_spectrum_bytes(const LongConvArgs& args) {
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(args.length);
  const std::int64_t filters = args.filters * args.channels;
  if (args.dtype == Dtype::f32) return filters * 8 * points;
  return filters * (4 * points + static_cast<std::int64_t>(sizeof(float)));
}
/// The scales that follow fp16 values: spectrum * unscale is the transform of the taps.
inline float* ring_unscale(const LongConvArgs& args, void* spectrum) {
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(args.length);
  return reinterpret_cast<float*>(static_cast<char*>(spectrum) +
                                  args.filters * args.channels * 4 * points);
}

/// k and k_reverse to `spectrum`, in the order in which the ring kernels read it: fp16 in
/// plan::spectrum_place's, floats, divided by M, as [C H][k1][k3][k2].
void ring_filter_spectrum(const LongConvArgs& args, void* spectrum, Stream stream);

/// The filter's gradient as a ring_correlate leaves it, in parts of the batch.
struct RingGradient {
  float2* spectrum;  ///< [splits][C H][M], sum_b DW conj(V) / M, a ring by plan::gradient_place
  int splits;
  std::int64_t rows;  ///< C H

  /// That of filter c's channels.
  [[nodiscard]] RingGradient of_filter(const LongConvArgs& args, std::int64_t c) const {
    const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(args.length);
    return {spectrum + c * args.channels * points, splits, rows};
  }
};

/// dk, dk_reverse and dskip, those wanted; `gradient` is used up.
void ring_filter_gradient(const LongConvGradArgs& args, const RingGradient& gradient,
                          Stream stream);

}  // namespace longconv::kernels::cuda
