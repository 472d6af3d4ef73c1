// The gradients of what a channel's several filters share: du, dgate_in, dgate_out.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/long_conv.h"

#include <algorithm>
#include <array>

namespace longconv::kernels::cuda {

/// out[b, i] = sum_c parts[b, c, i], i over H L.
template <class T>
__global__ void sum_filters_kernel(const T* parts, T* out, std::int64_t filters,
                                   std::int64_t points, std::int64_t all) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < all;
       at += step) {
    const std::int64_t b = at / points;
    const T* const part = parts + b * filters * points + (at - b * points);
    float sum = 0.0F;
    for (std::int64_t c = 0; c < filters; ++c) sum += to_float(part[c * points]);
    out[at] = from_float<T>(sum);
  }
}

/// The gradients of what several filters share, [B, H, L]: made for each filter in the workspace,
/// then summed. With one filter they are made where they are wanted.
template <class T>
class SharedGradients {
  using Member = void* LongConvGradArgs::*;
  static constexpr std::array<Member, 3> kShared = {
      &LongConvGradArgs::du, &LongConvGradArgs::dgate_in, &LongConvGradArgs::dgate_out};
  static std::int64_t part_bytes(const LongConvArgs& in) {
    const std::int64_t values = in.batch * in.filters * in.channels * in.length;
    return (values * static_cast<std::int64_t>(sizeof(T)) + 15) / 16 * 16;
  }

 public:
  /// The parts lie in args.workspace from `offset` on, a multiple of 16 bytes.
  SharedGradients(const LongConvGradArgs& args, std::int64_t offset) : wanted_(args), made_(args) {
    const LongConvArgs& in = args.inputs;
    if (in.filters == 1) return;
    auto* at = static_cast<char*>(args.workspace) + offset;
    for (const Member member : kShared) {
      if (args.*member == nullptr) continue;
      made_.*member = at;
      at += part_bytes(in);
    }
  }
  /// The call to make, whose gradients are [B, C, H, L].
  [[nodiscard]] const LongConvGradArgs& made() const { return made_; }
  /// After it.
  void sum(cudaStream_t stream) const {
    const LongConvArgs& in = wanted_.inputs;
    if (in.filters == 1) return;
    const std::int64_t points = in.channels * in.length;
    const std::int64_t all = in.batch * points;
    if (all == 0) return;
    const auto blocks =
        static_cast<unsigned>(std::min<std::int64_t>(8 * multiprocessors(), (all + 255) / 256));
    for (const Member member : kShared) {
      if (wanted_.*member == nullptr) continue;
      sum_filters_kernel<T><<<blocks, 256, 0, stream>>>(static_cast<const T*>(made_.*member),
                                                        static_cast<T*>(wanted_.*member),
                                                        in.filters, points, all);
      LONGCONV_CUDA_CHECK(cudaGetLastError());
    }
  }
  /// Of all parts.
  static std::int64_t bytes(const LongConvGradArgs& args) {
    if (args.inputs.filters == 1) return 0;
    std::int64_t total = 0;
    for (const Member member : kShared) {
      if (args.*member != nullptr) total += part_bytes(args.inputs);
    }
    return total;
  }

 private:
  const LongConvGradArgs& wanted_;
  LongConvGradArgs made_;
};

}  // namespace longconv::kernels::cuda
