// The ring transform of rows too long for a cluster's memory, in three passes over a scratch that
// stays in the L2 cache. The algebra is core/plan/ring_plan.h with R = 32 Q rings:
//
//   in      a block takes columns n2 of a row, all n1, through both halves of the outer stage
//   rings   a warp takes a ring through the inner stages, the filter's spectrum and back, in place
//   out     the outer stage back, real parts, skip, gates
//
// Here in float32, of float32 rows and of every filter's gradient; tensor_passes.cuh and
// tensor_rings.cuh are the same for 16-bit rows.
#pragma once

#include "core/kernels/cuda/filter_taps.cuh"
#include "core/kernels/cuda/passes_rows.cuh"
#include "core/kernels/cuda/warp_ring.cuh"
#include "core/plan/long_plan.h"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda::passes {

/// The channels' filters, scaled.
struct TapRows {
  FilterRows filter;
  const float* scale;  // [C H]
  int points;

  using Value = float2;
  struct Row {
    FilterTaps taps;
    int points;
    float scale;
    template <int kCount>
    __device__ void load(int first, int step, float2 (&x)[kCount]) const {
#pragma unroll
      for (int i = 0; i < kCount; ++i) x[i] = ring_point(taps, points, first + step * i);
#pragma unroll
      for (float2& y : x) y = {scale * y.x, scale * y.y};
    }
  };
  __device__ Row row(int h) const { return {filter.row(h), points, scale[h]}; }
};

// ---- the outer stage ----------------------------------------------------------------------------

template <int Q>
struct OuterShape {
  static constexpr int kOuter = plan::kSide * Q;
  static constexpr int kPoints = kOuter * plan::kRing;
  static constexpr int kThreads = 256;  // of 32 values
  static constexpr int kColumns = kThreads / Q;
  static constexpr int kBlocks = plan::kRing / kColumns;  // of a row
  static constexpr int kShare = plan::kSide / Q;          // a thread's c, in the second half
  static constexpr int kBytes = 8 * (kOuter + plan::kSide * kThreads);
  /// The outer stage enlarges by at most R, and by sqrt(R) what is noise: a power of two for it.
  static constexpr float kDown = Q == 2 ? 1.0F / 8 : Q <= 8 ? 1.0F / 16 : 1.0F / 32;
};

/// e^{2 pi i a / 128}: the quarter of a turn's part of a (c + 1/4) / 32.
template <int kIndex>
__device__ __forceinline__ float2 quarter() {
  return {static_cast<float>(cosine_of_turn(kIndex, 4 * plan::kSide)),
          static_cast<float>(sine_of_turn(kIndex, 4 * plan::kSide))};
}

__device__ inline float2 times(float x, float2 y) { return {x * y.x, x * y.y}; }
__device__ inline float2 times(float2 x, float2 y) { return product(x, y); }

/// A thread's columns and its part of their points.
template <int Q>
struct OuterThread {
  using Shape = OuterShape<Q>;
  int row = static_cast<int>(blockIdx.x) / Shape::kBlocks;
  int column = static_cast<int>(threadIdx.x) % Shape::kColumns;
  int b = static_cast<int>(threadIdx.x) / Shape::kColumns;
  int n2 = static_cast<int>(blockIdx.x) % Shape::kBlocks * Shape::kColumns + column;
  float2* table;  // e^{2 pi i j / R}
  float2* tile;   // [b][c][column]

  __device__ explicit OuterThread(float2* memory) : table(memory), tile(memory + Shape::kOuter) {
    for (int i = static_cast<int>(threadIdx.x); i < Shape::kOuter; i += Shape::kThreads) {
      table[i] = root({i, Shape::kOuter});
    }
  }
  /// n of value a.
  [[nodiscard]] __device__ int time(int a) const { return plan::kRing * (Q * a + b) + n2; }
  static constexpr int kTimeStep = plan::kRing * Q;
  /// b (c + 1/4) / R.
  [[nodiscard]] __device__ float2 twiddle(int c, float2 base) const {
    return product(base, table[b * c % Shape::kOuter]);
  }
  [[nodiscard]] __device__ float2 twiddle_base() const {
    return root(plan::long_twiddle(Shape::kOuter, b, 0));
  }
  [[nodiscard]] __device__ int place(int of_b, int c) const {
    return (of_b * plan::kSide + c) * Shape::kColumns + column;
  }
  /// Value d of the thread's i-th c, in a row's scratch.
  [[nodiscard]] __device__ int ring_place(int i, int d) const {
    return (Shape::kShare * b + i + plan::kSide * d) * plan::kRing + n2;
  }
};

/// scratch[row][k1][n2].
template <class Rows, int Q>
__global__ void __launch_bounds__(OuterShape<Q>::kThreads, 2)
    in_kernel(const Rows rows, int first_row, float2* const scratch) {
  using Shape = OuterShape<Q>;
  extern __shared__ __align__(16) float2 memory[];
  const OuterThread<Q> thread(memory);
  typename Rows::Value value[plan::kSide];
  after_last_pass();
  rows.row(first_row + thread.row).load(thread.time(0), OuterThread<Q>::kTimeStep, value);
  float2 x[plan::kSide];
  for_each_index<plan::kSide>([&](auto index) {
    constexpr int a = decltype(index)::value;
    x[a] = times(value[a], quarter<a>());
  });
  __syncthreads();  // the table
  transform<false>(x);
  const float2 base = thread.twiddle_base();
#pragma unroll
  for (int c = 0; c < plan::kSide; ++c) {
    thread.tile[thread.place(thread.b, c)] = product(x[c], thread.twiddle(c, base));
  }
  __syncthreads();
  float2* const out = scratch + static_cast<std::int64_t>(first_row + thread.row) * Shape::kPoints;
#pragma unroll
  for (int i = 0; i < Shape::kShare; ++i) {
    float2 y[Q];
#pragma unroll
    for (int b = 0; b < Q; ++b) y[b] = thread.tile[thread.place(b, Shape::kShare * thread.b + i)];
    transform<false>(y);
#pragma unroll
    for (int d = 0; d < Q; ++d) {
      out[thread.ring_place(i, d)] = {y[d].x * Shape::kDown, y[d].y * Shape::kDown};
    }
  }
}

/// sink.store(row, n of value 0, step from one value to the next, values): R times as large as the
/// inverse is.
template <class Sink, int Q>
__global__ void __launch_bounds__(OuterShape<Q>::kThreads, 2)
    out_kernel(const float2* const scratch, std::int64_t row_stride, const Sink sink) {
  using Shape = OuterShape<Q>;
  extern __shared__ __align__(16) float2 memory[];
  const OuterThread<Q> thread(memory);
  const float2* const in = scratch + thread.row * row_stride;
  after_last_pass();
#pragma unroll
  for (int i = 0; i < Shape::kShare; ++i) {
    float2 y[Q];
#pragma unroll
    for (int d = 0; d < Q; ++d) y[d] = in[thread.ring_place(i, d)];
    transform<true>(y);
#pragma unroll
    for (int b = 0; b < Q; ++b) thread.tile[thread.place(b, Shape::kShare * thread.b + i)] = y[b];
  }
  __syncthreads();
  const float2 base = thread.twiddle_base();
  float2 x[plan::kSide];
#pragma unroll
  for (int c = 0; c < plan::kSide; ++c) {
    x[c] = turned<true>(thread.tile[thread.place(thread.b, c)], thread.twiddle(c, base));
  }
  transform<true>(x);
  for_each_index<plan::kSide>([&](auto index) {
    constexpr int a = decltype(index)::value;
    x[a] = turned<true>(x[a], quarter<a>());
  });
  sink.store(thread.row, thread.time(0), OuterThread<Q>::kTimeStep, x);
}

/// out = factor (z + skip v), of a group's rows: of one side, whose rows begin with first_row.
struct OutputRows {
  ApplyArgs<float> call;
  RowGroup group;
  int first_row;
  RowScales scales;
  const float* tap_scale;  // [H]
  float factor;            // undoes the passes' own scales

  __device__ void store(int row, int first, int step, const float2 (&z)[plan::kSide]) const {
    constexpr int kAtOnce = 8;  // loads go before stores
    const std::int64_t h = group.h(row);
    const std::int64_t b = group.b(row);
    const std::int64_t channel = h * call.length + first;
    const float scale = power_of_two(scales.exponent(first_row + row)) * factor / tap_scale[h];
    const float skip = call.skip == nullptr ? 0.0F : call.skip[h];
    const float* const v_a =
        call.skip == nullptr ? nullptr : call.in.a + b * call.in.a_stride + channel;
    const float* const v_b = v_a == nullptr || call.in.b == nullptr
                                 ? nullptr
                                 : call.in.b + b * call.in.b_stride + channel;
    const int left = call.length - first;
#pragma unroll
    for (int begin = 0; begin < plan::kSide; begin += kAtOnce) {
      const auto load = [&](const float* from, float other, float(&x)[kAtOnce]) {
        load_steps(from + step * begin, step, from == nullptr ? 0 : left - step * begin, other, x);
      };
      float value[kAtOnce];
      float a[kAtOnce];
      float gate[kAtOnce];
      float factors[2][kAtOnce];
      load(v_a, 0.0F, a);
      load(v_b, 1.0F, gate);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float* const f = call.factor[i];
        load(f == nullptr ? nullptr : f + b * call.factor_stride[i] + channel, 1.0F, factors[i]);
      }
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        value[j] = fmaf(skip, a[j] * gate[j], scale * z[begin + j].x);
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (call.out[i] == nullptr) continue;
        float* const out = call.out[i] + b * call.out_stride + channel;
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int n = step * (begin + j);
          if (n < left) out[n] = value[j] * factors[i][j];
        }
      }
    }
  }
};

/// The filter's gradients: lag n is a real part, lag n - M an imaginary one with its sign turned.
struct GradientRows {
  float* dk;          // [H, K] or nullptr
  float* dk_reverse;  // [H, K'] or nullptr
  float* dskip;       // [H] or nullptr
  std::int64_t h0;
  std::int64_t taps;
  std::int64_t reverse_taps;
  int length;
  int points;
  ConvMode mode;
  float factor;
  bool second;  // a circular filter's lags j - L, added to what a first call left

  __device__ void store(int row, int first, int step, const float2 (&z)[plan::kSide]) const {
    const std::int64_t h = h0 + row;
    float* const k = dk == nullptr ? nullptr : dk + h * taps;
    float* const r = dk_reverse == nullptr ? nullptr : dk_reverse + h * reverse_taps;
    const int first_lag = mode == ConvMode::bidirectional ? 1 : 0;
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const int n = first + step * i;
      if (second) {
        const int j = n - (points - length);
        if (k != nullptr && j > 0 && j < taps) k[j] -= factor * z[i].y;
        continue;
      }
      if (n == 0 && dskip != nullptr) dskip[h] = factor * z[i].x;
      if (k != nullptr && n < length && n < taps) k[n] = factor * z[i].x;
      const int m = n == 0 ? 0 : points - n;
      if (r != nullptr && m < length && m >= first_lag && m - first_lag < reverse_taps) {
        r[m - first_lag] = factor * (m == 0 ? z[i].x : -z[i].y);
      }
    }
  }
};

// ---- the rings ----------------------------------------------------------------------------------

inline constexpr int kRingWarps = 8;  // of a block
inline constexpr int kRingBytes = 8 * kRingWarps * kTile;

__device__ inline void load_ring(const float2* from, float2 (&x)[plan::kSide]) {
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) x[i] = from[plan::kSide * i];
}
__device__ inline void store_ring(const float2 (&x)[plan::kSide], float2* to) {
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) to[plan::kSide * i] = x[i];
}
/// x *= w or conj(w).
template <bool kConjugate>
__device__ inline void multiply_ring(const float2* w, float2 (&x)[plan::kSide]) {
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) {
    x[i] = turned<kConjugate>(x[i], w[plan::kSide * i]);
  }
}
/// To the ring's points, twiddle and all, 1,024 times as large.
__device__ inline void ring_back(float2 (&x)[plan::kSide], float2* tile, int outer, int k1,
                                 int lane) {
  warp_inverse(x, tile, lane);
  twist_ring<true>(x, outer, k1, lane);
}
__device__ inline void scale_ring(float2 (&x)[plan::kSide], float by) {
#pragma unroll
  for (float2& y : x) y = {by * y.x, by * y.y};
}

/// Each ring of a group's rows in place: forward, times the filter, back; what of it is asked for,
/// and times `factor`.
template <bool kForward, Filter kFilter, bool kBack>
__global__ void __launch_bounds__(32 * kRingWarps, 2)
    ring_kernel(float2* const data, const float2* const spectrum, const RowGroup group, int outer,
                float factor) {
  extern __shared__ __align__(16) float2 memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  float2* const tile = memory + warp * kTile;
  const std::int64_t ring = std::int64_t{blockIdx.x} * kRingWarps + warp;
  const int row = static_cast<int>(ring / outer);
  const int k1 = static_cast<int>(ring % outer);
  after_last_pass();
  if (row >= group.rows()) return;
  float2* const mine = data + ring * plan::kRing + lane;
  float2 x[plan::kSide];
  load_ring(mine, x);
  if constexpr (kForward) {
    twist_ring<false>(x, outer, k1, lane);
    warp_forward(x, tile, lane);
  }
  if constexpr (kFilter != Filter::none) {
    multiply_ring<kFilter == Filter::conjugate>(
        spectrum + (group.h(row) * outer + k1) * plan::kRing + lane, x);
  }
  if constexpr (kBack) ring_back(x, tile, outer, k1, lane);
  scale_ring(x, factor);
  store_ring(x, mine);
}

/// dw's rings, v's being spectra; kBack: back in time too.
inline constexpr int kCorrelateWarps = 4;
inline constexpr int kCorrelateBytes = 8 * kCorrelateWarps * kTile;

template <bool kBack>
__global__ void __launch_bounds__(32 * kCorrelateWarps, 2)
    correlate_kernel(const CorrelateArgs<float2> args) {
  extern __shared__ __align__(16) float2 memory[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  float2* const tile = memory + warp * kTile;
  const int task = static_cast<int>(blockIdx.x) * kCorrelateWarps + warp;
  const int k1 = task % args.outer;
  const int split = task / args.outer % args.splits;
  const int channel = task / args.outer / args.splits;
  after_last_pass();
  if (channel >= args.group.channels) return;
  const int batch = args.group.batch;
  float2 sum[plan::kSide] = {};
  for (int b = batch * split / args.splits; b < batch * (split + 1) / args.splits; ++b) {
    const int row = channel * batch + b;
    const std::int64_t place = (std::int64_t{row} * args.outer + k1) * plan::kRing + lane;
    float2 x[plan::kSide];
    load_ring(args.data + place, x);
    twist_ring<false>(x, args.outer, k1, lane);
    warp_forward(x, tile, lane);
    const float scale =
        power_of_two(args.scales.exponent(row) + args.scales.exponent(args.group.rows() + row)) *
        args.factor;
    const float2* const v =
        args.data + place + std::int64_t{args.group.rows()} * args.outer * plan::kRing;
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const float2 y = turned<true>(x[i], v[plan::kSide * i]);
      sum[i] = {fmaf(scale, y.x, sum[i].x), fmaf(scale, y.y, sum[i].y)};
    }
    if constexpr (kBack) {
      multiply_ring<true>(
          args.spectrum + (args.group.h(row) * args.outer + k1) * plan::kRing + lane, x);
      ring_back(x, tile, args.outer, k1, lane);
      scale_ring(x, 1.0F / plan::kRing);
      store_ring(x, args.data + place);
    }
  }
  float2* const out =
      args.gradient +
      ((std::int64_t{channel} * args.splits + split) * args.outer + k1) * plan::kRing + lane;
  if (!args.first) {
#pragma unroll
    for (int i = 0; i < plan::kSide; ++i) {
      const float2 y = out[plan::kSide * i];
      sum[i] = {sum[i].x + y.x, sum[i].y + y.y};
    }
  }
  store_ring(sum, out);
}

/// The gradient's rings back in time: the splits' sum, into the first one's place.
void gradient_back(float2* gradient, int channels, int splits, int outer, cudaStream_t stream);

}  // namespace longconv::kernels::cuda::passes
