// 16-bit rows, and filters, on their way into the scratch (tensor_outer.cuh).
#pragma once

#include "core/kernels/cuda/filter_taps.cuh"
#include "core/kernels/cuda/passes_rows.cuh"
#include "core/kernels/cuda/register_transform.cuh"
#include "core/kernels/cuda/ring_outer.cuh"
#include "core/kernels/cuda/row_access.cuh"
#include "core/kernels/cuda/tensor_outer.cuh"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda::passes {

/// v = a * b of a group's rows, eight elements at a time.
template <class T, Access kAccess>
struct SignalPieces {
  static constexpr bool kStaged = kAccess != Access::scalar;
  static constexpr bool kWide = false;
  using Pair = PairOf<T>;
  SignalRows<T> rows;

  struct Row {
    const T* a;
    const T* b;
    int length;
    float scale;

    struct Raw {
      uint4 a;
      uint4 b;
    };
    __device__ void load(int t, Raw& raw) const {
      raw.a = load_eight<T, kAccess>(a, t, length);
      if (b != nullptr) raw.b = load_eight<T, kAccess>(b, t, length);
    }
    /// The same through two places of shared memory, `apart` vectors from each other.
    __device__ void start(int t, uint4* place, int apart) const {
      const bool there = t < length;
      copy_later(shared_address(place), there ? a + t : a, there);
      if (b != nullptr) copy_later(shared_address(place + apart), there ? b + t : b, there);
    }
    __device__ void take(const uint4* place, int apart, Raw& raw) const {
      raw.a = *place;
      if (b != nullptr) raw.b = place[apart];
    }
    /// Elements 2k and 2k + 1.
    [[nodiscard]] __device__ float2 pair(const Raw& raw, int k) const {
      float2 x = unpack<T>(word_of(raw.a, k));
      if (b != nullptr) {
        const float2 y = unpack<T>(word_of(raw.b, k));
        x = {x.x * y.x, x.y * y.y};
      }
      return {x.x * scale, x.y * scale};
    }
  };
  [[nodiscard]] __host__ __device__ int staged_vectors() const {
    return rows.in[0].b == nullptr && rows.in[1].b == nullptr ? 1 : 2;
  }
  __device__ Row row(int r) const {
    const auto row = rows.row(r);
    return {row.a, row.b, row.length, row.scale};
  }
};

/// The channels' filters, scaled: their real parts or their imaginary ones.
struct TapPieces {
  static constexpr bool kStaged = false;
  static constexpr bool kWide = true;  // much in registers
  using Pair = FloatPair;
  FilterRows filter;
  const float* scale;  // [C H]
  int points;
  bool imaginary;

  struct Row {
    FilterTaps taps;
    int points;
    float scale;
    bool imaginary;

    struct Raw {
      float x[8];
    };
    __device__ void load(int t, Raw& raw) const {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float2 x = ring_point(taps, points, t + i);
        raw.x[i] = imaginary ? x.y : x.x;
      }
    }
    [[nodiscard]] __device__ float2 pair(const Raw& raw, int k) const {
      return {raw.x[2 * k] * scale, raw.x[2 * k + 1] * scale};
    }
  };
  [[nodiscard]] __host__ __device__ int staged_vectors() const { return 0; }
  __device__ Row row(int h) const { return {filter.row(h), points, scale[h], imaginary}; }
};

/// A part of a row: kInPairs pairs of rows, kColumns n22 of each. Right operands in shared memory
/// are [pair][b][tile][step pair][lane], tile kColumns / 8 * e + m of columns n22 = 8 m + 2 q + e.
template <class Split, class Rows>
struct InShape {
  static constexpr int P = Split::P;
  static constexpr int Q = Split::Q;
  static constexpr int kThreads = 4 * P;  // a warp for every eight c
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kColumns = Split::kOuter >= 512 ? 16 : 32;
  static constexpr int kM = kColumns / 8;
  static constexpr int kInPairs = Q == 2 ? 2 : 1;
  static constexpr int kParts = kPairs / kInPairs * (plan::kSide / kColumns);  // of a row
  static constexpr int kTiles = 2 * kM;
  // Vectors of a tile; the padding brings eight lanes' stores to eight banks.
  static constexpr int kTileVectors = 32 * (P / 32) + (kM == 4 ? 1 : 2);
  static constexpr int kOperands = kInPairs * Q * kTiles * kTileVectors;
  /// What a warp brings at a time: eight rows of a step pair of 4 / kM values of b.
  static constexpr int kB = 4 / kM;
  static constexpr int kTasks = kInPairs * (Q / kB) * (P / 32);
  static constexpr bool kStages = Rows::kStaged;
  static constexpr int kStagedVectors = kStages ? kTasks * 8 * 32 : 0;  // for each tensor
  static constexpr int kNeighbours = Q <= 8 ? 2 : 1;                    // e in registers
  /// Of a multiprocessor, which has registers for so many.
  static constexpr int kBlocks = Rows::kWide && kThreads < 512 ? 256 / kThreads : 512 / kThreads;
  static int bytes(const Rows& rows) {
    return Split::kTableBytes + 16 * (kOperands + rows.staged_vectors() * kStagedVectors);
  }
};

/// A lane's place in what its warp brings.
template <class Shape>
struct BringPlace {
  int m;
  int p;
  int q;
  int pair;
  int b;
  int v;  // step pair

  __device__ BringPlace(int task, int lane)
      : m(lane % Shape::kM),
        p(lane / Shape::kM % 2),
        q(lane / (2 * Shape::kM) % 4),
        pair(task / (Shape::kTasks / Shape::kInPairs)),
        b(task % (Shape::Q / Shape::kB) * Shape::kB + lane / (8 * Shape::kM)),
        v(task / (Shape::Q / Shape::kB) % (Shape::P / 32)) {}
  /// Of row a = 8 w + 2 q + i.
  [[nodiscard]] __device__ int time(int first_r, int first_n22, int w, int i) const {
    return plan::kRing * (Shape::Q * (32 * v + 8 * w + 2 * q + i) + b) +
           plan::kSide * (plan::row_n21(first_r + pair) + plan::kPairStep * p) + first_n22 + 8 * m;
  }
};

/// scratch[row][k1]: rings of the rows' values, or i times them added to what is there. Blocks take
/// parts of `parts`, from a row on, in turn; the next one's values are on their way meanwhile.
template <class Rows, class Split, bool kAddTurned>
__global__ void __launch_bounds__(InShape<Split, Rows>::kThreads, InShape<Split, Rows>::kBlocks)
    tensor_in_kernel(const Rows rows, int first_row, int parts, uint4* const scratch) {
  using Shape = InShape<Split, Rows>;
  constexpr int P = Shape::P;
  constexpr int Q = Shape::Q;
  extern __shared__ __align__(16) float2 memory[];
  const OuterTables<Split, typename Rows::Pair> tables(memory);
  uint4* const operands = reinterpret_cast<uint4*>(memory + Split::kTableBytes / 8);
  uint4* const stage = operands + Shape::kOperands;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  __syncthreads();  // the tables

  const int g = lane / 4;
  const int q = lane % 4;
  const int c = 8 * warp + g;
  Word left[P / 16][4];
#pragma unroll
  for (int s = 0; s < P / 16; ++s) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int a = 16 * s + 2 * q + 8 * i;
      const float2 low = tables.entry(a, c);
      const float2 high = tables.entry(a + 1, c);
      left[s][2 * i] = two_halves(low.x, high.x);
      left[s][2 * i + 1] = two_halves(low.y, high.y);
    }
  }
  constexpr int kSplit = plan::kSide / Shape::kColumns;
  const auto first_r = [](int part) { return part % Shape::kParts / kSplit * Shape::kInPairs; };
  const auto first_n22 = [](int part) { return part % kSplit * Shape::kColumns; };
  const auto slot = [&](int task) { return stage + 32 * 8 * task + lane; };
  const auto start = [&](int part) {
    if constexpr (Shape::kStages) {
      const auto source = rows.row(first_row + part / Shape::kParts);
#pragma unroll 1
      for (int task = warp; task < Shape::kTasks; task += Shape::kWarps) {
        const BringPlace<Shape> place(task, lane);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          source.start(place.time(first_r(part), first_n22(part), i / 2, i % 2),
                       slot(task) + 32 * i, Shape::kStagedVectors);
        }
      }
    }
  };

  after_last_pass();
  start(static_cast<int>(blockIdx.x));
#pragma unroll 1
  for (int part = static_cast<int>(blockIdx.x); part < parts; part += static_cast<int>(gridDim.x)) {
    const int row = first_row + part / Shape::kParts;
    const auto source = rows.row(row);
    if constexpr (Shape::kStages) copies_wait<0>();
#pragma unroll 1
    for (int task = warp; task < Shape::kTasks; task += Shape::kWarps) {
      const BringPlace<Shape> place(task, lane);
      typename Rows::Row::Raw raw[4][2];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if constexpr (Shape::kStages) {
          source.take(slot(task) + 32 * i, Shape::kStagedVectors, raw[i / 2][i % 2]);
        } else {
          source.load(place.time(first_r(part), first_n22(part), i / 2, i % 2), raw[i / 2][i % 2]);
        }
      }
      uint4* const to =
          operands + ((place.pair * Q + place.b) * Shape::kTiles + place.m) * Shape::kTileVectors +
          32 * place.v + 4 * place.p + place.q;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        Word even[4];
        Word odd[4];
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          const float2 low = source.pair(raw[w][0], k);
          const float2 high = source.pair(raw[w][1], k);
          even[w] = two_halves(low.x, high.x);
          odd[w] = two_halves(low.y, high.y);
        }
        to[8 * k] = make_uint4(even[0], even[1], even[2], even[3]);
        to[8 * k + Shape::kM * Shape::kTileVectors] = make_uint4(odd[0], odd[1], odd[2], odd[3]);
      }
    }
    __syncthreads();
    if (part + static_cast<int>(gridDim.x) < parts) start(part + static_cast<int>(gridDim.x));

    constexpr int kE = Shape::kNeighbours;
    constexpr int kTasks = Shape::kInPairs * Shape::kTiles / kE;
#pragma unroll 1
    for (int task = 0; task < kTasks; ++task) {
      const int pair = task / (Shape::kTiles / kE);
      const int tile = task % (Shape::kTiles / kE);
      typename Rows::Pair y[kE][Q];  // [e][b]
#pragma unroll
      for (int b = 0; b < Q; ++b) {
        const auto w = tables.twiddle[P * b + c];
#pragma unroll
        for (int e = 0; e < kE; ++e) {
          const uint4* const right =
              operands +
              ((pair * Q + b) * Shape::kTiles + tile + Shape::kM * e) * Shape::kTileVectors + lane;
          typename Rows::Pair::Sum sum = {};
#pragma unroll
          for (int v = 0; v < P / 32; ++v) {
            const uint4 x = right[32 * v];
            multiply_add(sum, left[2 * v], {x.x, x.y});
            multiply_add(sum, left[2 * v + 1], {x.z, x.w});
          }
          y[e][b] = typename Rows::Pair(sum);
          y[e][b].template turn<false>(w);
        }
      }
#pragma unroll
      for (int e = 0; e < kE; ++e) transform<false>(y[e]);
      const int n22 = first_n22(part) + 8 * (tile % Shape::kM) + 2 * q;
      uint4* const out = scratch + (std::int64_t{row} * Split::kOuter + c) * kRingVectors +
                         ring_vector(first_r(part) + pair, n22);
#pragma unroll
      for (int d = 0; d < Q; ++d) {
        Word word[2 * kE];
#pragma unroll
        for (int e = 0; e < kE; ++e) {
          word[2 * e] = y[e][d].re();
          word[2 * e + 1] = y[e][d].im();
        }
        Word* const to =
            reinterpret_cast<Word*>(out + d * P * kRingVectors) + 2 * (tile / Shape::kM);
        if constexpr (kAddTurned) {
          Word old[2 * kE];
          load_words<kE>(to, old);
#pragma unroll
          for (int e = 0; e < kE; ++e) {
            const Word re = word[2 * e];
            word[2 * e] = sub(old[2 * e], word[2 * e + 1]);
            word[2 * e + 1] = add(old[2 * e + 1], re);
          }
        }
        store_words<kE>(word, to);
      }
    }
    __syncthreads();
  }
}

}  // namespace longconv::kernels::cuda::passes
