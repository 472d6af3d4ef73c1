// A tile of time steps on its way through the implicit filter's hidden layers: what the forward
// and the backward kernel have in common. A block of eight warps holds it, 16 steps a warp; weights
// come kChunk rows at a time through shared memory.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/float_product.cuh"
#include "core/kernels/cuda/sine.cuh"
#include "core/kernels/implicit_filter.h"

#include <cstddef>

namespace longconv::kernels::cuda::synthesis {

inline constexpr int kWarps = 8;
inline constexpr int kThreads = 32 * kWarps;
static_assert(16 * kWarps == plan::kTileSteps);

struct Call {
  ImplicitFilterArgs args;
  plan::SynthesisPlan plan;
};

inline Call to_call(const ImplicitFilterArgs& args) {
  return {args, plan::synthesis_plan({args.length, static_cast<int>(args.features),
                                      static_cast<int>(args.width), static_cast<int>(args.layers),
                                      args.channels})};
}

/// Where this thread stands.
struct Place {
  int warp, lane;
  ProductLane in_tile;
  __device__ Place()
      : warp(static_cast<int>(threadIdx.x) / 32),
        lane(static_cast<int>(threadIdx.x) % 32),
        in_tile(lane) {}
  /// Row and column of value i of column tile n of this warp's 16 steps.
  __device__ int row(int i) const { return 16 * warp + in_tile.g + 8 * (i / 2); }
  __device__ int column(int n) const { return 8 * n + 2 * in_tile.q; }
};

/// A block's shared memory, in floats from the start of it.
template <int kWidth>
struct Shared {
  static constexpr int kX = plan::kTileSteps * kWidth;
  float* x;        ///< [step][unit]: a layer's input
  float* y;        ///< as large: channels by steps, or a layer's gradient as x
  float* w;        ///< two of [kChunk][kWidth]: rows of a weight, and the next ones on their way
  float* vectors;  ///< freq, then a bias a layer, kWidth each, zero beyond F
  float* sums;     ///< backward: each warp's sums of their gradients
  __device__ Shared(float* start, int layers)
      : x(start),
        y(x + kX),
        w(y + kX),
        vectors(w + 2 * plan::kChunk * kWidth),
        sums(vectors + (1 + layers) * kWidth) {}
  static constexpr std::size_t bytes(int layers, bool backward) {
    return sizeof(float) * (2 * kX + 2 * plan::kChunk * kWidth +
                            (backward ? 1 + kWarps : 1) * (1 + layers) * kWidth);
  }
};

__device__ inline bool by_fours(const void* p, long long row) {
  return (reinterpret_cast<std::uintptr_t>(p) | static_cast<std::uintptr_t>(4 * row)) % 16 == 0;
}

/// p[0..3], zeros from `count` on.
__device__ inline float4 read_four(const float* p, long long count, bool whole) {
  if (whole && count >= 4) return __ldg(reinterpret_cast<const float4*>(p));
  return {count > 0 ? p[0] : 0.0f, count > 1 ? p[1] : 0.0f, count > 2 ? p[2] : 0.0f,
          count > 3 ? p[3] : 0.0f};
}

__device__ inline void write_four(float* p, float4 v, long long count, bool whole) {
  if (whole && count >= 4) {
    __stcg(reinterpret_cast<float4*>(p), v);  // of an assignment the compiler makes four
    return;
  }
  if (count > 0) p[0] = v.x;
  if (count > 1) p[1] = v.y;
  if (count > 2) p[2] = v.z;
  if (count > 3) p[3] = v.w;
}

/// Rows first .. first + kRows - 1 of a [rows, columns] matrix into shared memory, with zeros
/// beyond it, up to column `padded`, a multiple of 4.
template <int kRows, int kStride>
__device__ void load_rows(float* to, const float* from, long long first, long long rows,
                          int columns, int padded) {
  const bool whole = by_fours(from, columns);
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kStride / 4; i += kThreads) {
    const int r = i / (kStride / 4);
    const int c = i % (kStride / 4) * 4;
    if (c >= padded) continue;
    const long long row = first + r;
    const float4 v = read_four(from + row * columns + c, row < rows ? columns - c : 0, whole);
    *reinterpret_cast<float4*>(to + plan::swizzled(r, c, kStride)) = v;
  }
}

template <int kWidth>
__device__ void load_vectors(const Shared<kWidth>& s, const ImplicitFilterArgs& a) {
  for (int i = static_cast<int>(threadIdx.x); i < (1 + a.layers) * kWidth; i += kThreads) {
    const float* from = i < kWidth ? a.freq : a.biases[i / kWidth - 1];
    s.vectors[i] = i % kWidth < a.width ? from[i % kWidth] : 0.0f;
  }
}

/// exp(-tau |delta_c|) + shift for four steps, times v.
__device__ inline float4 windowed(const ImplicitFilterArgs& a, long long channel, float4 tau,
                                  float4 v) {
  if (a.deltas == nullptr) return v;
  const float rate = -1.44269504f * fabsf(__ldg(a.deltas + channel));  // of powers of two
  return {v.x * (exp2f(tau.x * rate) + a.shift), v.y * (exp2f(tau.y * rate) + a.shift),
          v.z * (exp2f(tau.z * rate) + a.shift), v.w * (exp2f(tau.w * rate) + a.shift)};
}

/// The tile of z that begins at step t0 into s.x.
template <int kWidth>
__device__ void load_features(const Shared<kWidth>& s, const Call& call, long long t0) {
  load_rows<plan::kTileSteps, kWidth>(s.x, call.args.z, t0, call.args.length,
                                      static_cast<int>(call.args.features),
                                      call.plan.padded_features);
}

/// Copies 16 bytes into shared memory behind the thread's back, until finish_copies().
__device__ inline void copy_later(float* to, const float* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               :
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(to))), "l"(from)
               : "memory");
}
__device__ inline void finish_copies() {
  asm volatile("cp.async.commit_group;\n\tcp.async.wait_group 0;" ::: "memory");
}

/// Weights in the order in which they are used, kChunk rows at a time, the next ones being copied
/// while the present ones are multiplied by.
template <int kWidth>
class Weights {
 public:
  __device__ Weights(const Shared<kWidth>& s, const Call& call) : s_(s), call_(call) {}

  /// Begins to copy rows row .. of weight `layer`. All threads have passed a barrier since they
  /// last used the chunk before the present one.
  __device__ void prefetch(int layer, long long row) {
    next_ = !next_;
    float* to = buffer(next_);
    const ImplicitFilterArgs& a = call_.args;
    const int columns = static_cast<int>(layer == 0 ? a.features : a.width);
    const long long rows = layer == a.layers ? a.channels : a.width;
    const bool inside = row + plan::kChunk <= rows && columns == kWidth;
    if (!inside || !by_fours(a.weights[layer], columns)) {
      load_rows<plan::kChunk, kWidth>(to, a.weights[layer], row, rows, columns,
                                      layer == 0 ? call_.plan.padded_features : kWidth);
      return;
    }
    const float* from = a.weights[layer] + row * kWidth;
#pragma unroll
    for (int j = 0; j < plan::kChunk * kWidth / 4 / kThreads; ++j) {
      const int i = static_cast<int>(threadIdx.x) + j * kThreads;
      copy_later(to + plan::swizzled(i / (kWidth / 4), i % (kWidth / 4) * 4, kWidth), from + 4 * i);
    }
  }
  /// The rows of the last prefetch, for all threads: has a barrier.
  __device__ const float* take() {
    finish_copies();
    __syncthreads();
    return buffer(next_);
  }

 private:
  __device__ float* buffer(bool second) const {
    return s_.w + (second ? plan::kChunk * kWidth : 0);
  }
  const Shared<kWidth>& s_;
  const Call& call_;
  bool next_ = false;
};

/// s.x holds features and becomes the last hidden layer's output; what is in it afterwards is the
/// warp's own until a barrier. keep(layer, chunk, n, four of p_l) sees all of them. The first rows
/// of weight 0 are on their way; those of the last weight from row `after` on will be.
template <int kUnroll, int kWidth, class Keep>
__device__ void run_hidden(const Shared<kWidth>& s, const Call& call, const Place& at,
                           Weights<kWidth>& weights, long long after, const Keep& keep) {
  constexpr int kChunks = kWidth / plan::kChunk;
  for (int layer = 0; layer < call.args.layers; ++layer) {
    float p[kChunks][1][8][4] = {};
    const int depth = layer == 0 ? call.plan.padded_features : kWidth;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const float* w = weights.take();
      const bool last = chunk + 1 == kChunks;
      weights.prefetch(last ? layer + 1 : layer, !last                          ? plan::kChunk
                                                 : layer + 1 < call.args.layers ? 0
                                                                                : after);
      multiply_add<kUnroll>(p[chunk], at.in_tile, AlongRows<kWidth>{s.x}, 16 * at.warp,
                            AlongRows<kWidth>{w}, 0, depth);
    }
    __syncwarp();
    const float* bias = s.vectors + (1 + layer) * kWidth;
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
#pragma unroll
      for (int n = 0; n < 8; ++n) {
        const int column = plan::kChunk * chunk + at.column(n);
        float4 values = {p[chunk][0][n][0] + bias[column], p[chunk][0][n][1] + bias[column + 1],
                         p[chunk][0][n][2] + bias[column], p[chunk][0][n][3] + bias[column + 1]};
        keep(layer, chunk, n, values);
        const float2 freq = {s.vectors[column], s.vectors[column + 1]};
        *reinterpret_cast<float2*>(s.x + plan::swizzled(at.row(0), column, kWidth)) = {
            sine(freq.x * values.x), sine(freq.y * values.y)};
        *reinterpret_cast<float2*>(s.x + plan::swizzled(at.row(2), column, kWidth)) = {
            sine(freq.x * values.z), sine(freq.y * values.w)};
      }
    }
    __syncwarp();
  }
}

static_assert(Shared<kMaxFilterWidth>::bytes(kMaxSineLayers, true) <= 227 * 1024);

/// Shared memory above 48 KB has to be asked for.
template <class Kernel>
void allow_shared(Kernel* kernel, std::size_t bytes) {
  LONGCONV_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(bytes)));
}

}  // namespace longconv::kernels::cuda::synthesis
