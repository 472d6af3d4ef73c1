// What launches of the ring kernels have in common, whatever their dtype.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/long_conv.h"
#include "core/plan/ring_plan.h"

#include <algorithm>

namespace longconv::kernels::cuda {

/// Shared memory that a block may have on Hopper, less what the kernels declare statically.
inline constexpr int kMostSharedBytes = 227 * 1024 - 1024;

/// Multiprocessors of the current device.
inline int multiprocessors() {
  int device = 0;
  int count = 0;
  LONGCONV_CUDA_CHECK(cudaGetDevice(&device));
  LONGCONV_CUDA_CHECK(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}

/// call.operator()<R>() for the R that holds `length` points.
template <class Call>
void with_outer(std::int64_t length, const Call& call) {
  switch (plan::outer_for(length)) {
    case 1:
      return call.template operator()<1>();
    case 2:
      return call.template operator()<2>();
    case 4:
      return call.template operator()<4>();
    case 8:
      return call.template operator()<8>();
    case 16:
      return call.template operator()<16>();
    default:
      return call.template operator()<32>();
  }
}

/// Whether a backward call wants more than du and the gates' gradients.
inline bool wants_filter_gradient(const LongConvGradArgs& args) {
  return args.dk != nullptr || args.dk_reverse != nullptr || args.dskip != nullptr;
}

/// Parts of the batch for the filter's gradient: one, unless channels alone leave the device idle.
/// It depends on the device and the shape only.
inline int batch_splits(const LongConvArgs& args) {
  const int subs = std::max(1, plan::outer_for(args.length) / 8);
  const int groups = 8 / std::min(8, plan::outer_for(args.length));
  const std::int64_t blocks = args.channels * subs;
  const std::int64_t wanted = blocks >= multiprocessors() ? 1 : 2 * multiprocessors() / blocks;
  const std::int64_t most = std::max<std::int64_t>(1, args.batch / (2 * groups));
  return static_cast<int>(std::min({wanted, most, std::int64_t{32}}));
}

/// Bytes of the filter's gradient in frequency, the first part of a backward call's workspace.
inline std::int64_t filter_gradient_bytes(const LongConvGradArgs& args) {
  if (!wants_filter_gradient(args)) return 0;
  const LongConvArgs& in = args.inputs;
  const std::int64_t points = std::int64_t{plan::kRing} * plan::outer_for(in.length);
  return batch_splits(in) * in.filters * in.channels * points * 8;
}

/// The first part of a backward call's workspace.
inline RingGradient ring_gradient(const LongConvGradArgs& args) {
  return {static_cast<float2*>(args.workspace), batch_splits(args.inputs),
          args.inputs.filters * args.inputs.channels};
}

}  // namespace longconv::kernels::cuda
