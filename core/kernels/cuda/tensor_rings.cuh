// The rings of 16-bit rows in passes: a warp's transform on tensor cores (ring_tile.cuh) between
// loads and stores of the scratch (tensor_outer.cuh).
#pragma once

#include "core/kernels/cuda/passes_rows.cuh"
#include "core/kernels/cuda/ring_row.cuh"
#include "core/kernels/cuda/tensor_outer.cuh"
#include "core/plan/long_plan.h"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda::passes {

/// The stages' phases with n22 and k2 in plan::pass_order.
struct PassPhase {
  __device__ plan::Phase operator()(int j, int i, int residue) const {
    return plan::inner_phase(plan::pass_order(j), i, residue);
  }
};

/// Tables of the rings' transform in shared memory.
struct RingTables {
  static constexpr int kMatrix = 32 * kMatrixVectors;
  static constexpr int kVectors = 2 * kMatrix + 32 * kMiddleVectors;
  SharedMatrices<LeftMatrices> left;
  SharedMatrices<RightMatrices> right;
  const uint4* middle;

  /// By all threads, which meet afterwards.
  __device__ RingTables(uint4* memory, int lane)
      : left{memory + lane}, right{memory + kMatrix + lane}, middle(memory + 2 * kMatrix + lane) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    if (warp == 0) SharedMatrices<LeftMatrices>::make(memory + lane, lane, PassPhase{});
    if (warp == 1) SharedMatrices<RightMatrices>::make(memory + kMatrix + lane, lane, PassPhase{});
    for (int i = static_cast<int>(threadIdx.x); i < 32 * kMiddleVectors;
         i += static_cast<int>(blockDim.x)) {
      memory[2 * kMatrix + i] = middle_vector(i % 32, i / 32, [](int row, int column) {
        return plan::middle_twiddle(plan::pass_order(row), plan::pass_order(column));
      });
    }
  }
};

/// The twiddles of a ring as products of two factors, a lane's: in a warp's part of shared memory,
/// as registers are too few.
struct RingFactors {
  static constexpr int kVectors = 4 * 32;  // of a warp
  uint4* mine;  // the lane's, 32 apart: of n21, [c], words [kp][re, im]; of n22, [d], words [t]

  /// By a warp: its lanes make roots for each other.
  __device__ void make(int outer, int k1, int lane) const {
    // n2 of lane l's root: 0..7 twice that many columns, 8..11 four rows each, then single steps.
    const int steps[5] = {1, 16, plan::kSide, 2 * plan::kSide, 16 * plan::kSide};
    int n2 = 0;
    if (lane < 8) n2 = 2 * lane;
    if (lane >= 8 && lane < 12) n2 = 4 * plan::kSide * (lane - 8);
#pragma unroll
    for (int i = 0; i < 5; ++i) n2 = lane == 12 + i ? steps[i] : n2;
    const float2 own = root(plan::ring_twiddle(outer, k1, n2));
    const auto of_lane = [&](int l) {
      return make_float2(__shfl_sync(0xFFFFFFFFU, own.x, l), __shfl_sync(0xFFFFFFFFU, own.y, l));
    };
    float2 column = of_lane(lane / 4);
    float2 row = of_lane(8 + lane % 4);
    const float2 one_column = of_lane(12);
    const float2 half_columns = of_lane(13);
    const float2 one_row = of_lane(14);
    const float2 pair_rows = of_lane(15);
    const float2 half_rows = of_lane(16);
#pragma unroll
    for (int d = 0; d < 2; ++d) {
      const float2 next = product(column, one_column);
      mine[32 * (2 + d)] =
          make_uint4(two_halves(column.x, column.x), two_halves(column.y, column.y),
                     two_halves(next.x, next.x), two_halves(next.y, next.y));
      column = product(column, half_columns);
    }
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const float2 row_high = product(row, pair_rows);
      const float2 next = product(row, half_rows);
      const float2 next_high = product(next, pair_rows);
      mine[32 * c] = make_uint4(two_halves(row.x, row_high.x), two_halves(row.y, row_high.y),
                                two_halves(next.x, next_high.x), two_halves(next.y, next_high.y));
      row = product(row, one_row);
    }
  }
  template <bool kConjugate>
  __device__ void twist_ring(RingTime& x) const {
    const uint4 column[2] = {mine[32 * 2], mine[32 * 3]};
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const uint4 row = mine[32 * c];
#pragma unroll
      for (int kp = 0; kp < 2; ++kp) {
#pragma unroll
        for (int t = 0; t < 4; ++t) {
          Word wr = word_of(column[t / 2], t % 2 * 2);
          Word wi = word_of(column[t / 2], t % 2 * 2 + 1);
          twist<false>(wr, wi, kp == 0 ? row.x : row.z, kp == 0 ? row.y : row.w);
          twist<kConjugate>(x.re[c][kp][t], x.im[c][kp][t], wr, wi);
        }
      }
    }
  }
};

/// Shared memory of a block of so many warps, each with so many rings on their way.
constexpr int tensor_ring_bytes(int warps, int rings) {
  return 16 * (RingTables::kVectors + warps * (RingFactors::kVectors + rings * kRingVectors));
}
/// A warp's part of it, and from where on rings lie in it.
__device__ inline uint4* warp_vectors(uint4* memory, int rings) {
  return memory + RingTables::kVectors +
         static_cast<int>(threadIdx.x) / 32 * (RingFactors::kVectors + rings * kRingVectors);
}
/// A ring of 16-byte vectors on its way into shared memory, by a warp.
__device__ inline void start_ring(const uint4* from, uint4* to, int lane) {
#pragma unroll
  for (int i = 0; i < kRingVectors / 32; ++i) {
    copy_later(shared_address(to + 32 * i + lane), from + 32 * i + lane, true);
  }
}
/// Waits for the warp's rings; all lanes see them.
__device__ inline void wait_for_rings() {
  copies_wait<0>();
  __syncwarp();
}

/// Of a ring of the scratch: the lane's vectors.
__device__ inline void load_ring(const uint4* ring, int lane, RingTime& x) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = 4 * i + lane % 4;  // (c, kp) = (i / 2, i % 2)
#pragma unroll
    for (int d = 0; d < 2; ++d) {
      const uint4 v = ring[ring_vector(r, 16 * d + 2 * (lane / 4))];
      x.re[i / 2][i % 2][2 * d] = v.x;
      x.im[i / 2][i % 2][2 * d] = v.y;
      x.re[i / 2][i % 2][2 * d + 1] = v.z;
      x.im[i / 2][i % 2][2 * d + 1] = v.w;
    }
  }
}
__device__ inline void store_ring(const RingTime& x, uint4* ring, int lane) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = 4 * i + lane % 4;
    const auto& re = x.re[i / 2][i % 2];
    const auto& im = x.im[i / 2][i % 2];
#pragma unroll
    for (int d = 0; d < 2; ++d) {
      ring[ring_vector(r, 16 * d + 2 * (lane / 4))] =
          make_uint4(re[2 * d], im[2 * d], re[2 * d + 1], im[2 * d + 1]);
    }
  }
}
/// A ring's spectrum lies as plan::spectrum_place says, k2 in plan::pass_order: vector v of the
/// lane, 32 vectors apart.
__device__ inline void store_spectrum(const RingSpectrum& z, __half2 factor, uint4* ring,
                                      int lane) {
#pragma unroll
  for (int v = 0; v < 8; ++v) {
    const auto& re = z.re[v >> 2][(v >> 1) & 1][v & 1];
    const auto& im = z.im[v >> 2][(v >> 1) & 1][v & 1];
    const auto scaled = [&](Word w) { return as_word(__hmul2(as_half2(w), factor)); };
    ring[32 * v + lane] = make_uint4(scaled(re[0]), scaled(im[0]), scaled(re[1]), scaled(im[1]));
  }
}

inline constexpr int kTensorRingWarps = 8;
/// Of a warp: the next ring, and its filter's.
inline constexpr int kTensorRingStages = 2;

/// Each ring of a group's rows in place: forward, then times the filter and back, or, without a
/// filter, times factor[h], a power of two, to be a spectrum.
template <Filter kFilter>
__global__ void __launch_bounds__(32 * kTensorRingWarps, 2)
    tensor_ring_kernel(uint4* const data, const uint4* const spectrum, const RowGroup group,
                       int outer, const float* const factor) {
  extern __shared__ __align__(16) uint4 tables_memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const RingTables tables(tables_memory, lane);
  uint4* const mine = warp_vectors(tables_memory, kTensorRingStages);
  const RingFactors factors{mine + lane};
  uint4* const next_ring = mine + RingFactors::kVectors;
  uint4* const filter_ring = next_ring + kRingVectors;
  __syncthreads();
  after_last_pass();
  // Ring by ring, all rows of one before the next: a warp has few rings' factors to make.
  const int rows = group.rows();
  const std::int64_t tasks = std::int64_t{rows} * outer;
  const std::int64_t warps = std::int64_t{gridDim.x} * kTensorRingWarps;
  const std::int64_t warp =
      std::int64_t{blockIdx.x} * kTensorRingWarps + static_cast<int>(threadIdx.x) / 32;
  const int begin = static_cast<int>(warp * tasks / warps);
  const int end = static_cast<int>((warp + 1) * tasks / warps);
  const auto place = [&](int task) {
    return (std::int64_t{task % rows} * outer + task / rows) * kRingVectors;
  };
  const auto filter_place = [&](int task) {
    return (group.h(task % rows) * outer + task / rows) * kRingVectors;
  };
  if (begin < end) {
    start_ring(data + place(begin), next_ring, lane);
    if (kFilter != Filter::none) start_ring(spectrum + filter_place(begin), filter_ring, lane);
  }
  int made = -1;
  for (int task = begin; task < end; ++task) {
    const int k1 = task / rows;
    if (k1 != made) factors.make(outer, k1, lane);
    made = k1;
    wait_for_rings();
    RingSpectrum z;
    RingTime x;
    load_ring(next_ring, lane, x);
    __syncwarp();  // the ring has been read
    const bool goes_on = task + 1 < end;
    if (goes_on) start_ring(data + place(task + 1), next_ring, lane);
    factors.twist_ring<false>(x);
    forward_ring(tables.left, tables.right, x, tables.middle, z);
    if constexpr (kFilter == Filter::none) {
      store_spectrum(z, __float2half2_rn(factor[group.h(task % rows)]), data + place(task), lane);
    } else {
      multiply_spectrum(filter_ring + lane, kFilter == Filter::conjugate ? 0x80008000U : 0U, z);
      if (goes_on && filter_place(task + 1) != filter_place(task)) {
        __syncwarp();
        start_ring(spectrum + filter_place(task + 1), filter_ring, lane);
      }
      inverse_ring(tables.left, tables.right, z, tables.middle, x);
      factors.twist_ring<true>(x);
      store_ring(x, data + place(task), lane);
    }
  }
}

inline constexpr int kTensorCorrelateWarps = 4;
/// Of a warp: the next rings of dw and v.
inline constexpr int kTensorCorrelateStages = 2;

/// kWantsW, kWantsV: what goes back in time.
template <bool kWantsW, bool kWantsV>
__global__ void __launch_bounds__(32 * kTensorCorrelateWarps, 3)
    tensor_correlate_kernel(const CorrelateArgs<uint4> args) {
  extern __shared__ __align__(16) uint4 tables_memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const RingTables tables(tables_memory, lane);
  __syncthreads();
  after_last_pass();
  const int task =
      static_cast<int>(blockIdx.x) * kTensorCorrelateWarps + static_cast<int>(threadIdx.x) / 32;
  const int k1 = task % args.outer;
  const int split = task / args.outer % args.splits;
  const int channel = task / args.outer / args.splits;
  if (channel >= args.group.channels) return;
  const int batch = args.group.batch;
  uint4* const mine = warp_vectors(tables_memory, kTensorCorrelateStages);
  const RingFactors factors{mine + lane};
  uint4* const next_w = mine + RingFactors::kVectors;
  uint4* const next_v = next_w + kRingVectors;
  factors.make(args.outer, k1, lane);
  const uint4* const spectrum =
      args.spectrum + ((args.group.h0 + channel) * args.outer + k1) * kRingVectors + lane;
  const auto place_w = [&](int b) {
    return args.data + (std::int64_t{channel * batch + b} * args.outer + k1) * kRingVectors;
  };
  const auto place_v = [&](int b) {
    return place_w(b) + std::int64_t{args.group.rows()} * args.outer * kRingVectors;
  };
  const auto back = [&](RingSpectrum& z, Word flip, uint4* to) {
    RingTime x;
    multiply_spectrum(spectrum, flip, z);
    inverse_ring(tables.left, tables.right, z, tables.middle, x);
    factors.twist_ring<true>(x);
    store_ring(x, to, lane);
  };
  const int begin = batch * split / args.splits;
  const int end = batch * (split + 1) / args.splits;
  if (begin < end) {
    start_ring(place_w(begin), next_w, lane);
    start_ring(place_v(begin), next_v, lane);
  }
  float2 sum[8][2][2] = {};  // [vector][rh][p]
#pragma unroll 1
  for (int b = begin; b < end; ++b) {
    wait_for_rings();
    RingTime x;
    RingSpectrum z;
    load_ring(next_v, lane, x);
    __syncwarp();  // the ring has been read: its spectrum takes its place
    factors.twist_ring<false>(x);
    forward_ring(tables.left, tables.right, x, tables.middle, z);
    store_spectrum(z, __float2half2_rn(1.0F), next_v, lane);
    if constexpr (kWantsV) back(z, 0U, place_v(b));

    load_ring(next_w, lane, x);
    __syncwarp();
    if (b + 1 < end) start_ring(place_w(b + 1), next_w, lane);
    factors.twist_ring<false>(x);
    forward_ring(tables.left, tables.right, x, tables.middle, z);
    const int row = channel * batch + b;
    const float scale =
        power_of_two(args.scales.exponent(row) + args.scales.exponent(args.group.rows() + row)) *
        args.factor;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const uint4 v = next_v[32 * i + lane];
      const auto& re = z.re[i >> 2][(i >> 1) & 1][i & 1];
      const auto& im = z.im[i >> 2][(i >> 1) & 1][i & 1];
#pragma unroll
      for (int rh = 0; rh < 2; ++rh) {
        const float2 w_re = __half22float2(as_half2(re[rh]));
        const float2 w_im = __half22float2(as_half2(im[rh]));
        const float2 v_re = __half22float2(as_half2(rh == 0 ? v.x : v.z));
        const float2 v_im = __half22float2(as_half2(rh == 0 ? v.y : v.w));
        const float2 low =
            turned<true>(float2{scale * w_re.x, scale * w_im.x}, float2{v_re.x, v_im.x});
        const float2 high =
            turned<true>(float2{scale * w_re.y, scale * w_im.y}, float2{v_re.y, v_im.y});
        sum[i][rh][0] = {sum[i][rh][0].x + low.x, sum[i][rh][0].y + low.y};
        sum[i][rh][1] = {sum[i][rh][1].x + high.x, sum[i][rh][1].y + high.y};
      }
    }
    __syncwarp();
    if (b + 1 < end) start_ring(place_v(b + 1), next_v, lane);
    if constexpr (kWantsW) back(z, 0x80008000U, place_w(b));
  }
  float2* const out =
      args.gradient +
      ((std::int64_t{channel} * args.splits + split) * args.outer + k1) * plan::kRing;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
#pragma unroll
    for (int rh = 0; rh < 2; ++rh) {
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        const plan::SpectrumPlace at = plan::spectrum_place(lane, i, rh, p);
        float2* const to = out + plan::kSide * at.k3 + plan::pass_order(at.k2);
        float2 x = sum[i][rh][p];
        if (!args.first) x = {x.x + to->x, x.y + to->y};
        *to = x;
      }
    }
  }
}

}  // namespace longconv::kernels::cuda::passes
