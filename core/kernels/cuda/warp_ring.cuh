// A ring of 1,024 points in a warp's registers, in float32: a lane's 32 values and the twiddles
// between the stages, made where they are needed (core/plan/ring_plan.h).
#pragma once

#include "core/kernels/cuda/register_transform.cuh"
#include "core/kernels/cuda/ring_tile.cuh"

namespace longconv::kernels::cuda {

/// x[i] *= e^{+-2 pi i lane i / 1024}, the middle twiddle: powers 0..7 of the lane's
/// root times powers 8, 16, 24.
template <bool kConjugate>
__device__ inline void twist_middle(float2 (&x)[32], int lane) {
  float2 low[8];
  low[0] = {1.0F, 0.0F};
  low[1] = root(plan::middle_twiddle(1, lane));
#pragma unroll
  for (int i = 2; i < 8; ++i) low[i] = product(low[i / 2], low[i - i / 2]);
  float2 high = {1.0F, 0.0F};
  const float2 step = product(low[4], low[4]);
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    if (i > 0 && i % 8 == 0) high = product(high, step);
    x[i] = turned<kConjugate>(x[i], product(high, low[i % 8]));
  }
}

/// x[i] *= the twiddle of point 32 i + lane of ring k1, or its conjugate: a lane's root times one
/// of 32 steps, which the lanes make for each other.
template <bool kConjugate>
__device__ inline void twist_ring(float2 (&x)[32], int r, int k1, int lane) {
  const float2 base = root(plan::ring_twiddle(r, k1, lane));
  const float2 step = root(plan::ring_twiddle(r, k1, plan::kSide * lane));
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    const float2 w = {__shfl_sync(0xFFFFFFFFU, step.x, i), __shfl_sync(0xFFFFFFFFU, step.y, i)};
    x[i] = turned<kConjugate>(turned<kConjugate>(x[i], base), w);
  }
}

/// x[n21] of lane n22 to x[k3] of lane k2.
__device__ inline void warp_forward(float2 (&x)[plan::kSide], float2* tile, int lane) {
  transform<false>(x);
  twist_middle<false>(x, lane);
  transpose(x, tile, lane);
  transform<false>(x);
}
/// And back, 1,024 times as large.
__device__ inline void warp_inverse(float2 (&x)[plan::kSide], float2* tile, int lane) {
  transform<true>(x);
  twist_middle<true>(x, lane);
  transpose(x, tile, lane);
  transform<true>(x);
}

}  // namespace longconv::kernels::cuda
