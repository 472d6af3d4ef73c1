// Backward of the implicit filter. A block runs a tile's network again, then walks it back: for
// each kChunk channels the window's share of dh, its product with the last weight, and its product
// with the last layer's output; then the hidden layers, last first. Sums over time are added to the
// block's slot, tile by tile; reduce_slots() adds the slots up.
#include "core/kernels/cuda/implicit_filter.h"
#include "core/kernels/cuda/implicit_filter_reduce.h"
#include "core/kernels/cuda/implicit_filter_tile.cuh"

namespace longconv::kernels::cuda {
namespace synthesis {
namespace {

struct GradCall {
  Call call;
  const float* dh;
  float* slots;
  float* dz;  ///< a [L, E] for each slice, or nullptr
};

/// dh times the window for kChunk channels of a slice that ends at `last`: into s.y,
/// [channel][step].
template <int kWidth>
__device__ void load_gradient(const Shared<kWidth>& s, const GradCall& g, const Place& at,
                              long long c0, long long last, long long t0, float4 tau) {
  const ImplicitFilterArgs& a = g.call.args;
  const bool whole = by_fours(g.dh, a.length);
  const long long steps = a.length - t0 - 4 * at.lane;
#pragma unroll 4
  for (int c = at.warp; c < plan::kChunk; c += kWarps) {
    float4 v = {};
    if (c0 + c < last) {
      v = read_four(g.dh + (c0 + c) * a.length + t0 + 4 * at.lane, steps, whole);
      v = windowed(a, c0 + c, tau, v);
    }
    *reinterpret_cast<float4*>(s.y + plan::swizzled(c, 4 * at.lane, plan::kTileSteps)) = v;
  }
}

/// to[row][column] (kWidth a row) gets c's values, or has them added.
template <int kWidth, int kRowTiles, int kColumnTiles>
__device__ void add_to_slot(float* to, const float (&c)[kRowTiles][kColumnTiles][4],
                            const ProductLane& lane, int row0, int column0, bool first, int end) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      if (column0 + 8 * n >= end) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = row0 + 16 * m + 8 * half + lane.g;
        auto* place = reinterpret_cast<float2*>(to + row * kWidth + column0 + 8 * n + 2 * lane.q);
        float2 v = {c[m][n][2 * half], c[m][n][2 * half + 1]};
        if (!first) {
          const float2 old = *place;
          v = {v.x + old.x, v.y + old.y};
        }
        *place = v;
      }
    }
  }
}

/// Over the eight lanes of a column, the same bits in each.
__device__ inline float over_rows(float v) {
  v += __shfl_xor_sync(0xFFFFFFFFU, v, 4);
  v += __shfl_xor_sync(0xFFFFFFFFU, v, 8);
  return v + __shfl_xor_sync(0xFFFFFFFFU, v, 16);
}

template <int kWidth>
using Units = float[kWidth / plan::kChunk][1][8][4];

/// A layer's p of this thread in local memory, which the L2 cache may have to give back: read all
/// at once, so that one wait does for all.
template <int kWidth>
struct Kept {
  float4 p[kWidth / plan::kChunk][8];
  __device__ void get(Units<kWidth>& to) const {
#pragma unroll
    for (int chunk = 0; chunk < kWidth / plan::kChunk; ++chunk) {
#pragma unroll
      for (int n = 0; n < 8; ++n) *reinterpret_cast<float4*>(to[chunk][0][n]) = p[chunk][n];
    }
  }
};

/// d holds the gradient of sin(freq p) and becomes that of p; the sums over this warp's steps are
/// added to those of freq and of the layer's bias.
template <int kWidth>
__device__ void back_through_sine(Units<kWidth>& d, const Units<kWidth>& p, const float* freq,
                                  float* freq_sums, float* bias_sums, const Place& at) {
#pragma unroll
  for (int chunk = 0; chunk < kWidth / plan::kChunk; ++chunk) {
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      const int column = plan::kChunk * chunk + at.column(n);
      float dfreq[2] = {};
      float dbias[2] = {};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& value = d[chunk][0][n][i];
        const float f = freq[column + i % 2];
        const float slope = value * cosine(f * p[chunk][0][n][i]);
        dfreq[i % 2] += slope * p[chunk][0][n][i];
        value = slope * f;
        dbias[i % 2] += value;
      }
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float over_freq = over_rows(dfreq[j]);
        const float over_bias = over_rows(dbias[j]);
        if (at.in_tile.g == 0) {
          freq_sums[column + j] += over_freq;
          bias_sums[column + j] += over_bias;
        }
      }
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth == 64 ? 2 : 1)
    backward_kernel(const __grid_constant__ GradCall g) {
  extern __shared__ float4 memory[];
  constexpr int kChunks = kWidth / plan::kChunk;
  constexpr int kColumnTiles = kWidth / 32;  // of a warp's 32 rows of a weight's gradient
  const Call& call = g.call;
  const ImplicitFilterArgs& a = call.args;
  const int layers = static_cast<int>(a.layers);
  const Shared<kWidth> s(reinterpret_cast<float*>(memory), layers);
  const Place at;
  const int sums = (1 + layers) * kWidth;
  float* own_sums = s.sums + at.warp * sums;
  const int weight_row = 32 * (at.warp % 2);
  const int weight_column = kWidth / 4 * (at.warp / 2);
  float* slot = g.slots + (static_cast<long long>(blockIdx.y) * gridDim.x + blockIdx.x) *
                              call.plan.slot_floats();
  load_vectors(s, a);
  for (int i = at.lane; i < sums; i += 32) own_sums[i] = 0.0f;
  const long long c_first = blockIdx.y * call.plan.slice_channels;
  const long long c_last =
      min(c_first + call.plan.slice_channels, static_cast<long long>(a.channels));

  Weights<kWidth> weights(s, call);
  weights.prefetch(0, 0);
  for (long long tile = blockIdx.x; tile < call.plan.tiles; tile += gridDim.x) {
    const long long t0 = tile * plan::kTileSteps;
    const bool first = tile == blockIdx.x;
    Kept<kWidth> kept[kMaxSineLayers];
    __syncthreads();
    load_features(s, call, t0);
    run_hidden<1>(s, call, at, weights, c_first, [&](int layer, int chunk, int n, float4 values) {
      kept[layer].p[chunk][n] = values;
    });

    Units<kWidth> d = {};
    float4 tau = {};
    if (a.deltas != nullptr) {
      tau = read_four(a.tau + t0 + 4 * at.lane, a.length - t0 - 4 * at.lane, false);
    }
    for (long long c0 = c_first; c0 < c_last; c0 += plan::kChunk) {
      __syncthreads();  // all have read s.y
      load_gradient(s, g, at, c0, c_last, t0, tau);
      const float* w = weights.take();
      if (c0 + plan::kChunk < c_last) {
        weights.prefetch(layers, c0 + plan::kChunk);
      } else {
        weights.prefetch(layers - 1, 0);
      }
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        multiply_add<1>(d[chunk], at.in_tile, AcrossRows<plan::kTileSteps>{s.y}, 16 * at.warp,
                        AcrossRows<kWidth>{w}, plan::kChunk * chunk, plan::kChunk);
      }
      float dw[2][kColumnTiles][4] = {};
      multiply_add<1>(dw, at.in_tile, AlongRows<plan::kTileSteps>{s.y}, weight_row,
                      AcrossRows<kWidth>{s.x}, weight_column, plan::kTileSteps);
      add_to_slot<kWidth>(slot + call.plan.last_weight_at() + (c0 - c_first) * kWidth, dw,
                          at.in_tile, weight_row, weight_column, first, kWidth);
    }

    for (int layer = layers - 1; layer >= 0; --layer) {
      Units<kWidth> p;
      kept[layer].get(p);
      back_through_sine<kWidth>(d, p, s.vectors, own_sums, own_sums + (1 + layer) * kWidth, at);
      if (layer > 0) kept[layer - 1].get(p);
      __syncthreads();  // all have read s.x and s.y
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
#pragma unroll
        for (int n = 0; n < 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; i += 2) {
            const int column = plan::kChunk * chunk + at.column(n);
            const int place = plan::swizzled(at.row(i), column, kWidth);
            *reinterpret_cast<float2*>(s.y + place) = {d[chunk][0][n][i], d[chunk][0][n][i + 1]};
            if (layer > 0) {
              *reinterpret_cast<float2*>(s.x + place) = {
                  sine(s.vectors[column] * p[chunk][0][n][i]),
                  sine(s.vectors[column + 1] * p[chunk][0][n][i + 1])};
            }
          }
        }
      }
      if (layer == 0) load_features(s, call, t0);
      const float* w = weights.take();
      const int end = layer == 0 ? call.plan.padded_features : kWidth;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
        const int row = plan::kChunk * chunk + weight_row;
        float dw[2][kColumnTiles][4] = {};
        if (layer == 0) {
          multiply_add<1, true>(dw, at.in_tile, AcrossRows<kWidth>{s.y}, row,
                                AcrossRows<kWidth>{s.x}, weight_column, plan::kTileSteps, end);
        } else {
          multiply_add<1>(dw, at.in_tile, AcrossRows<kWidth>{s.y}, row, AcrossRows<kWidth>{s.x},
                          weight_column, plan::kTileSteps);
        }
        add_to_slot<kWidth>(slot + call.plan.weight_at(layer), dw, at.in_tile, row, weight_column,
                            first, end);
      }
      if (layer == 0 && g.dz == nullptr) {
        weights.prefetch(0, 0);  // of the next tile
        break;
      }
      // The gradient of this layer's input. Columns beyond the features hold nothing of use.
      Units<kWidth> next = {};
#pragma unroll
      for (int rows = 0; rows < kChunks; ++rows) {
        if (rows > 0) w = weights.take();
        if (rows + 1 < kChunks) {
          weights.prefetch(layer, plan::kChunk * (rows + 1));
        } else {
          weights.prefetch(layer > 0 ? layer - 1 : 0, 0);  // or of the next tile
        }
#pragma unroll
        for (int chunk = 0; chunk < kChunks; ++chunk) {
          multiply_add<1>(next[chunk], at.in_tile, AlongRows<kWidth>{s.y + plan::kChunk * rows},
                          16 * at.warp, AcrossRows<kWidth>{w}, plan::kChunk * chunk, plan::kChunk);
        }
      }
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk) {
#pragma unroll
        for (int n = 0; n < 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) d[chunk][0][n][i] = next[chunk][0][n][i];
        }
      }
    }
    if (g.dz != nullptr) {
      float* dz = g.dz + blockIdx.y * a.length * a.features;
#pragma unroll
      for (int n = 0; n < 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const long long t = t0 + at.row(i);
          const int column = at.column(n) + i % 2;
          if (t < a.length && column < a.features) dz[t * a.features + column] = d[0][0][n][i];
        }
      }
    }
  }

  finish_copies();
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < sums; i += kThreads) {
    float sum = 0.0f;
    for (int warp = 0; warp < kWarps; ++warp) sum += s.sums[warp * sums + i];
    slot[i] = sum;
  }
}

template <int kWidth>
void launch(const GradCall& g, Stream stream) {
  const plan::SynthesisPlan& p = g.call.plan;
  const std::size_t bytes = Shared<kWidth>::bytes(p.layers, /*backward=*/true);
  allow_shared(backward_kernel<kWidth>, bytes);
  const dim3 grid(static_cast<unsigned>(p.time_blocks), static_cast<unsigned>(p.slices));
  backward_kernel<kWidth><<<grid, kThreads, bytes, stream>>>(g);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

long long slots_floats(const plan::SynthesisPlan& p) { return p.slots() * p.slot_floats(); }

}  // namespace
}  // namespace synthesis

std::int64_t implicit_filter_workspace_bytes(const ImplicitFilterGradArgs& args) {
  const synthesis::Call call = synthesis::to_call(args.inputs);
  long long floats = synthesis::slots_floats(call.plan);
  if (args.dz != nullptr && call.plan.slices > 1) {
    floats += call.plan.slices * call.args.length * call.args.features;
  }
  return floats * static_cast<std::int64_t>(sizeof(float));
}

void implicit_filter_backward(const ImplicitFilterGradArgs& args, Stream stream) {
  synthesis::GradCall g{synthesis::to_call(args.inputs), args.dh,
                        static_cast<float*>(args.workspace), args.dz};
  const plan::SynthesisPlan& p = g.call.plan;
  const ImplicitFilterArgs& a = g.call.args;
  const bool shares_dz = args.dz != nullptr && p.slices > 1;
  if (shares_dz) g.dz = g.slots + synthesis::slots_floats(p);
  if (p.padded_width == 64) {
    synthesis::launch<64>(g, stream);
  } else {
    synthesis::launch<128>(g, stream);
  }

  synthesis::SlotSums sums;
  const auto add = [&](float* to, long long at, long long rows, long long columns) {
    if (to == nullptr) return;
    sums.add({to, g.slots + at, p.slot_floats(), p.slots(), rows, rows, columns, p.padded_width});
  };
  add(args.dfreq, 0, 1, a.width);
  for (int layer = 0; layer < p.layers; ++layer) {
    add(args.dbiases[layer], static_cast<long long>(1 + layer) * p.padded_width, 1, a.width);
    add(args.dweights[layer], p.weight_at(layer), a.width, layer == 0 ? a.features : a.width);
  }
  if (args.dweights[p.layers] != nullptr) {
    sums.add({args.dweights[p.layers], g.slots + p.last_weight_at(), p.slot_floats(), p.time_blocks,
              a.channels, p.slice_channels, a.width, p.padded_width});
  }
  if (shares_dz) {
    const long long size = a.length * a.features;
    sums.add({args.dz, g.dz, size, p.slices, a.length, a.length, a.features,
              static_cast<int>(a.features)});
  }
  synthesis::reduce_slots(sums, stream);
}

}  // namespace longconv::kernels::cuda
