// Pieces of the float32 ring kernels: a row's values among threads, the outer stage between them
// and the rings in shared memory, and a warp's transform of a ring in registers. The algebra is
// core/plan/ring_plan.h.
//
// Rings lie in shared memory as tiles of 32x32 complex values, n21 by n22, rows padded by one. A
// thread's columns are the same in every row it takes part in, on the way in and on the way out: so
// a result is read by the thread that writes the next row there, and no barrier goes between.
#pragma once

#include "core/kernels/cuda/cluster.cuh"
#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/register_transform.cuh"
#include "core/kernels/cuda/ring_tile.cuh"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda {

inline constexpr int kThreadValues = 32;  ///< a thread's values of a row

/// A row of R rings: kRowBlocks blocks of a cluster hold it, a warp a ring. Rows stand side by side
/// in a block where it has warps to spare.
template <int R, int kRowBlocks>
struct FloatShape {
  static constexpr int kOuter = R;
  static constexpr int kBlocks = kRowBlocks;
  static constexpr int kLocal = R / kBlocks;  // a block's rings of a row, and a row's warps
  static constexpr int kWarps = kLocal < 8 ? 8 : kLocal;
  static constexpr int kGroups = kWarps / kLocal;  // rows side by side
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kColumns = kThreadValues / R;   // a thread's columns, of R values
  static constexpr int kRows = plan::kSide / kBlocks;  // rows n21 whose columns a block brings in
  // Shared memory in float2 from its start: tables and one set of tiles.
  static constexpr int kMiddle = 0;
  static constexpr int kSteps = kMiddle + plan::kRing;
  static constexpr int kTiles = kSteps + plan::kSide * kLocal;
  static constexpr int kTilesSize = kWarps * kTile;
  static constexpr int kStageBytes = 4 * kThreadValues * kThreads;  // of one signal

  /// Time of a thread's value c R + n1 less that of its first: column c, n2 = 32 kLocal c further.
  LONGCONV_HOST_DEVICE static constexpr int time(int value) {
    return plan::kRing * (value % R) + plan::kSide * kLocal * (value / R);
  }
};

/// A thread's place.
template <class Shape>
struct FloatThread {
  int lane = static_cast<int>(threadIdx.x) % 32;
  // From one lane, so that the compiler knows that a warp does not part.
  int warp = __shfl_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x) / 32, 0);
  int group = warp / Shape::kLocal;
  int member = warp % Shape::kLocal;
  int rank = cluster_rank<Shape::kBlocks>();
  int k1 = rank * Shape::kLocal + member;  // the warp's ring
  int row = rank * Shape::kRows + member;  // n21 of the first column; n22 is the lane
  int first = plan::kSide * row + lane;    // time of the first value

  /// All that work on a row meet.
  __device__ void meet() const {
    if constexpr (Shape::kBlocks > 1) {
      cluster_sync<Shape::kBlocks>();
    } else if constexpr (Shape::kGroups > 1) {
      group_barrier<Shape::kLocal>(group + 1);
    } else {
      __syncthreads();
    }
  }
};

/// Four bytes to shared memory in the background, or zeros.
__device__ inline void copy_value(float* to, const float* from, bool there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "r"(shared_address(to)), "l"(from), "r"(there ? 4 : 0)
               : "memory");
#endif
}
/// Until all of this thread's are there.
__device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

/// The next row's values of a signal, on their way to the thread that will take them.
template <class Shape>
struct FloatStage {
  float* mine;

  __device__ FloatStage(float* memory, const FloatThread<Shape>& thread)
      : mine(memory + kThreadValues * 32 * thread.warp + thread.lane) {}
  /// `row` points to the thread's first value; `left` times from there on are inside.
  __device__ void start(const float* row, int left) const {
    left = renewed(left);
#pragma unroll
    for (int j = 0; j < kThreadValues; ++j) {
      copy_value(mine + 32 * j, row + Shape::time(j), Shape::time(j) < left);
    }
  }
  /// Times the gate, if there is one.
  __device__ __forceinline__ void take(const float* gate, int left,
                                       float (&x)[kThreadValues]) const {
    if (gate == nullptr) {
#pragma unroll
      for (int j = 0; j < kThreadValues; ++j) x[j] = mine[32 * j];
      return;
    }
    left = renewed(left);
#pragma unroll
    for (int j = 0; j < kThreadValues; ++j) {
      x[j] = Shape::time(j) < left ? gate[Shape::time(j)] : 0.0F;
    }
#pragma unroll
    for (int j = 0; j < kThreadValues; ++j) x[j] *= mine[32 * j];
  }
};

/// A thread's columns of a row's rings, in all blocks that hold them.
template <class Shape>
struct FloatColumns {
  static constexpr int R = Shape::kOuter;
  float2* here;

  /// `tiles`: the group's, of the thread's block.
  __device__ FloatColumns(float2* tiles, const FloatThread<Shape>& thread)
      : here(tiles + thread.row * kTilePitch + thread.lane) {}
  /// Where they lie in block `rank` of the cluster; not kept.
  __device__ std::uint32_t in_block(int rank) const {
    return peer_address<Shape::kBlocks>(
        static_cast<std::uint32_t>(renewed(static_cast<int>(shared_address(here)))), rank);
  }
  LONGCONV_HOST_DEVICE static constexpr int offset(int k1, int c) {
    return k1 % Shape::kLocal * kTile + Shape::kLocal * c * kTilePitch;
  }

  /// Outer stage: ring k1 of a column is sum_n1 v[n1] e^{2 pi i n1 (k1 + 1/4) / R}.
  __device__ __forceinline__ void to_rings(const float (&v)[kThreadValues]) const {
#pragma unroll
    for (int c = 0; c < Shape::kColumns; ++c) {
      float2 x[R];
      for_each_index<R>([&](auto index) {
        constexpr int n1 = decltype(index)::value;
        constexpr auto kCosine = static_cast<float>(cosine_of_turn(n1, 4 * R));
        constexpr auto kSine = static_cast<float>(sine_of_turn(n1, 4 * R));
        const float y = v[c * R + n1];
        x[n1] = n1 == 0 ? make_float2(y, 0.0F) : make_float2(y * kCosine, y * kSine);
      });
      transform<false>(x);
#pragma unroll
      for (int rank = 0; rank < Shape::kBlocks; ++rank) {
        const std::uint32_t to = in_block(rank);
#pragma unroll
        for (int k1 = rank * Shape::kLocal; k1 < (rank + 1) * Shape::kLocal; ++k1) {
          if constexpr (Shape::kBlocks > 1) {
            store_peer(to + 8 * offset(k1, c), x[k1]);
          } else {
            here[offset(k1, c)] = x[k1];
          }
        }
      }
    }
  }
  /// Its conjugate mirror: the real parts.
  __device__ __forceinline__ void from_rings(float (&v)[kThreadValues]) const {
#pragma unroll
    for (int c = 0; c < Shape::kColumns; ++c) {
      float2 x[R];
#pragma unroll
      for (int rank = 0; rank < Shape::kBlocks; ++rank) {
        const std::uint32_t from = in_block(rank);
#pragma unroll
        for (int k1 = rank * Shape::kLocal; k1 < (rank + 1) * Shape::kLocal; ++k1) {
          if constexpr (Shape::kBlocks > 1) {
            x[k1] = load_peer(from + 8 * offset(k1, c));
          } else {
            x[k1] = here[offset(k1, c)];
          }
        }
      }
      transform<true>(x);
      for_each_index<R>([&](auto index) {
        constexpr int n1 = decltype(index)::value;
        constexpr auto kCosine = static_cast<float>(cosine_of_turn(n1, 4 * R));
        constexpr auto kSine = static_cast<float>(sine_of_turn(n1, 4 * R));
        v[c * R + n1] = n1 == 0 ? x[0].x : fmaf(x[n1].x, kCosine, x[n1].y * kSine);
      });
    }
  }
};

/// A warp's transform of its ring: x[n21] of lane n22, or x[k3] of lane k2.
struct FloatRing {
  const float2* middle;  // the lane's column
  const float2* steps;   // of the ring, for every n21
  float2 base;           // the ring's twiddle at n22
  int lane;

  /// Tables by all threads of the block, which meet afterwards.
  template <class Shape>
  __device__ FloatRing(float2* memory, const FloatThread<Shape>& thread)
      : middle(memory + Shape::kMiddle + thread.lane),
        steps(memory + Shape::kSteps + plan::kSide * thread.member),
        base(root(plan::ring_twiddle(Shape::kOuter, thread.k1, thread.lane))),
        lane(thread.lane) {
    const int at = static_cast<int>(threadIdx.x);
    for (int i = at; i < plan::kRing; i += Shape::kThreads) {
      memory[Shape::kMiddle + i] = root(plan::middle_twiddle(i / plan::kSide, i % plan::kSide));
    }
    for (int i = at; i < plan::kSide * Shape::kLocal; i += Shape::kThreads) {
      memory[Shape::kSteps + i] =
          root(plan::ring_twiddle(Shape::kOuter, thread.rank * Shape::kLocal + i / plan::kSide,
                                  plan::kSide * (i % plan::kSide)));
    }
  }

  /// Of point 32 n21 + n22.
  __device__ float2 twiddle(int n21) const { return product(base, steps[n21]); }

  /// The ring's points from its tile, or without an outer stage the thread's values, twisted.
  template <class Shape>
  __device__ __forceinline__ void take(const float2* tile, float2 (&x)[plan::kSide]) const {
    static_assert(Shape::kOuter > 1);
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      x[i] = product(tile[i * kTilePitch + lane], twiddle(i));
    }
  }
  __device__ __forceinline__ void take(const float (&v)[kThreadValues],
                                       float2 (&x)[plan::kSide]) const {
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const float2 w = twiddle(i);
      x[i] = {v[i] * w.x, v[i] * w.y};
    }
    fence();
  }
  /// And back.
  __device__ __forceinline__ void give(const float2 (&x)[plan::kSide], float2* tile) const {
    __syncwarp();
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      tile[i * kTilePitch + lane] = turned<true>(x[i], twiddle(i));
    }
  }
  __device__ __forceinline__ void give(const float2 (&x)[plan::kSide],
                                       float (&v)[kThreadValues]) const {
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const float2 w = twiddle(i);
      v[i] = fmaf(x[i].x, w.x, x[i].y * w.y);
    }
  }

  /// The two inner stages; `tile` is used for a transposition.
  __device__ __forceinline__ void forward(float2 (&x)[plan::kSide], float2* tile) const {
    transform<false>(x);
    fence();
#pragma unroll
    for (int i = 1; i < plan::kSide; ++i) x[i] = product(x[i], middle[plan::kSide * i]);
    transpose(x, tile, lane);
    transform<false>(x);
  }
  __device__ __forceinline__ void inverse(float2 (&x)[plan::kSide], float2* tile) const {
    transform<true>(x);
    fence();
#pragma unroll
    for (int i = 1; i < plan::kSide; ++i) x[i] = turned<true>(x[i], middle[plan::kSide * i]);
    transpose(x, tile, lane);
    transform<true>(x);
  }
};

/// x *= the filter's spectrum, or its conjugate with `flip` the sign bit; `spectrum` is the lane's
/// column.
__device__ __forceinline__ void multiply_spectrum(const float2* spectrum, int flip,
                                                  float2 (&x)[plan::kSide]) {
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) {
    const float2 w = __ldg(spectrum + plan::kSide * i);
    x[i] = product(x[i], make_float2(w.x, __int_as_float(__float_as_int(w.y) ^ flip)));
  }
}

/// out_i = factor_i (z + skip v) of the thread's values.
template <class Shape>
__device__ __forceinline__ void write_values(const ApplyArgs<float>& call, int h, std::int64_t b,
                                             float skip, int first,
                                             const float (&z)[kThreadValues]) {
  constexpr int kAtOnce = 8;  // loads go before stores
  const int left = renewed(call.length - first);
  const std::int64_t channel = std::int64_t{h} * call.length + first;
  const std::int64_t place = b * call.out_stride + channel;
  if (call.is_plain()) {
    float* const out = call.out[0] + place;
#pragma unroll
    for (int j = 0; j < kThreadValues; ++j) {
      if (Shape::time(j) < left) out[Shape::time(j)] = z[j];
    }
    return;
  }
  const auto input = [&](const float* tensor, std::int64_t stride) {
    return tensor == nullptr ? nullptr : tensor + b * stride + channel;
  };
  const float* const v_a = call.skip == nullptr ? nullptr : input(call.in.a, call.in.a_stride);
  const float* const v_b = input(call.in.b, call.in.b_stride);
#pragma unroll
  for (int begin = 0; begin < kThreadValues; begin += kAtOnce) {
    const auto load = [&](const float* row, float(&x)[kAtOnce]) {
#pragma unroll
      for (float& one : x) one = 1.0F;
      if (row == nullptr) return;
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int time = Shape::time(begin + j);
        if (time < left) x[j] = row[time];
      }
    };
    float factor[2][kAtOnce];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      load(input(call.factor[i], call.factor_stride[i]), factor[i]);
    }
    float value[kAtOnce];
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) value[j] = z[begin + j];
    if (v_a != nullptr) {
      float a[kAtOnce];
      float gate[kAtOnce];
      load(v_a, a);
      load(v_b, gate);
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) value[j] = fmaf(skip, a[j] * gate[j], value[j]);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (call.out[i] == nullptr) continue;
      float* const out = call.out[i] + place;
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int time = Shape::time(begin + j);
        if (time < left) out[time] = value[j] * factor[i][j];
      }
    }
  }
}

}  // namespace longconv::kernels::cuda
