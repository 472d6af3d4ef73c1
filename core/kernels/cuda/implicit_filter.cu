#include "core/kernels/cuda/implicit_filter.h"
#include "core/kernels/cuda/implicit_filter_tile.cuh"

namespace longconv::kernels::cuda {
namespace synthesis {
namespace {

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth == 64 ? 2 : 1)
    forward_kernel(const __grid_constant__ Call call) {
  extern __shared__ float4 memory[];
  const ImplicitFilterArgs& a = call.args;
  const Shared<kWidth> s(reinterpret_cast<float*>(memory), static_cast<int>(a.layers));
  const Place at;
  load_vectors(s, a);  // seen by all behind the first weight's barrier
  const bool whole = by_fours(a.h, a.length);
  const long long first = blockIdx.y * call.plan.slice_channels;
  const long long last = min(first + call.plan.slice_channels, static_cast<long long>(a.channels));
  Weights<kWidth> weights(s, call);
  weights.prefetch(0, 0);
  for (long long tile = blockIdx.x; tile < call.plan.tiles; tile += gridDim.x) {
    const long long t0 = tile * plan::kTileSteps;
    load_features(s, call, t0);
    run_hidden<2>(s, call, at, weights, first, [](int, int, int, float4) {});
    const long long steps = a.length - t0 - 4 * at.lane;  // from this lane's first on
    float4 tau = {};
    if (a.deltas != nullptr) tau = read_four(a.tau + t0 + 4 * at.lane, steps, false);
    for (long long c0 = first; c0 < last; c0 += plan::kChunk) {
      const float* w = weights.take();
      if (c0 + plan::kChunk < last) {
        weights.prefetch(static_cast<int>(a.layers), c0 + plan::kChunk);
      } else {
        weights.prefetch(0, 0);  // of the next tile
      }
      float h[1][8][4] = {};
      multiply_add<2>(h, at.in_tile, AlongRows<kWidth>{s.x}, 16 * at.warp, AlongRows<kWidth>{w}, 0,
                      kWidth);
      // Turned round in shared memory, so that a warp writes 512 bytes of a channel.
#pragma unroll
      for (int n = 0; n < 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          s.y[plan::swizzled(at.column(n) + i % 2, at.row(i), plan::kTileSteps)] = h[0][n][i];
        }
      }
      __syncthreads();  // by which s.x has been read, too
      for (int c = at.warp; c < plan::kChunk && c0 + c < last; c += kWarps) {
        const float4 v = *reinterpret_cast<const float4*>(
            s.y + plan::swizzled(c, 4 * at.lane, plan::kTileSteps));
        write_four(a.h + (c0 + c) * a.length + t0 + 4 * at.lane, windowed(a, c0 + c, tau, v), steps,
                   whole);
      }
    }
  }
  finish_copies();
}

template <int kWidth>
void launch(const Call& call, Stream stream) {
  const std::size_t bytes = Shared<kWidth>::bytes(call.plan.layers, /*backward=*/false);
  allow_shared(forward_kernel<kWidth>, bytes);
  const dim3 grid(static_cast<unsigned>(call.plan.time_blocks),
                  static_cast<unsigned>(call.plan.slices));
  forward_kernel<kWidth><<<grid, kThreads, bytes, stream>>>(call);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace
}  // namespace synthesis

void implicit_filter_forward(const ImplicitFilterArgs& args, Stream stream) {
  const synthesis::Call call = synthesis::to_call(args);
  if (call.plan.padded_width == 64) {
    synthesis::launch<64>(call, stream);
  } else {
    synthesis::launch<128>(call, stream);
  }
}

}  // namespace longconv::kernels::cuda
