// What the passes' launches have in common: sizes, a filter's scales, and the launch itself.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/ring_launch.h"
#include "core/plan/long_plan.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace longconv::kernels::cuda::passes {

inline int outer_of(const LongConvArgs& args) { return plan::long_outer_for(args.length); }
inline std::int64_t points_of(const LongConvArgs& args) {
  return std::int64_t{plan::kRing} * outer_of(args);
}
/// Bytes of a row's scratch.
inline std::int64_t row_bytes(const LongConvArgs& args) {
  return points_of(args) * (args.dtype == Dtype::f32 ? 8 : 4);
}

/// scale[h] of each channel's filter, powers of two but for the first.
struct TapScales {
  float* of_spectrum;  ///< how many times the filter's transform its spectrum is
  float* of_taps;      ///< what taps are multiplied by on their way in
  float* of_rings;     ///< and transformed rings on their way to the spectrum

  /// Behind the spectra.
  static constexpr int kBytes = 3 * 4;  // of a channel
  TapScales(const LongConvArgs& args, void* spectrum)
      : of_spectrum(reinterpret_cast<float*>(static_cast<char*>(spectrum) +
                                             args.channels * row_bytes(args))),
        of_taps(of_spectrum + args.channels),
        of_rings(of_taps + args.channels) {}
};

/// A launch that may begin while the one before it ends: every kernel here calls after_last_pass()
/// before it touches what others wrote.
template <class... Params, class... Args>
void run(void (*kernel)(Params...), std::int64_t blocks, int threads, int bytes,
         cudaStream_t stream, const Args&... args) {
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = 1;
  LONGCONV_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, Params(args)...));
}

/// Blocks that take so many parts in turn, `most` a multiprocessor.
inline std::int64_t in_turn(std::int64_t parts, int most) {
  return std::min<std::int64_t>(parts, std::int64_t{most} * multiprocessors());
}

}  // namespace longconv::kernels::cuda::passes
