// 16-bit rows on their way out of the scratch (tensor_outer.cuh).
#pragma once

#include "core/kernels/cuda/passes_rows.cuh"
#include "core/kernels/cuda/register_transform.cuh"
#include "core/kernels/cuda/ring_output.cuh"
#include "core/kernels/cuda/row_access.cuh"
#include "core/kernels/cuda/tensor_outer.cuh"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda::passes {

/// kCount neighbouring elements of a tensor's row; zeros beyond its end.
template <class T, Access kAccess, int kCount>
__device__ inline void load_piece(const T* row, int t, int length, float (&x)[kCount]) {
  if constexpr (kAccess == Access::scalar) {
    load_steps(row + t, 1, length - t, 0.0F, x);
  } else {
    Word word[kCount / 2] = {};
    if (t < length) {
      if constexpr (kCount == 8) {
        const uint4 v = __ldg(reinterpret_cast<const uint4*>(row + t));
#pragma unroll
        for (int i = 0; i < 4; ++i) word[i] = word_of(v, i);
      } else {
        const uint2 v = __ldg(reinterpret_cast<const uint2*>(row + t));
        word[0] = v.x;
        word[1] = v.y;
      }
    }
#pragma unroll
    for (int i = 0; i < kCount / 2; ++i) {
      const float2 y = unpack<T>(word[i]);
      x[2 * i] = y.x;
      x[2 * i + 1] = y.y;
    }
  }
}
template <class T, Access kAccess, int kCount>
__device__ inline void store_piece(T* row, int t, int length, const float (&x)[kCount]) {
  if constexpr (kAccess == Access::scalar) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (t + i < length) row[t + i] = from_float<T>(x[i]);
    }
  } else {
    if (t >= length) return;
    if constexpr (kCount == 8) {
      store_eight<T, Access::whole>(row, t, length, x);
    } else {
      *reinterpret_cast<uint2*>(row + t) = make_uint2(pack<T>(x[0], x[1]), pack<T>(x[2], x[3]));
    }
  }
}

/// A row's results on their way out, kPieces pieces of kCount neighbours: what they need is loaded
/// together.
template <class T, Access kAccess, int kCount, int kPieces>
__device__ inline void write_pieces(const RowOutputs<T>& row, const int (&t)[kPieces], int length,
                                    float (&value)[kPieces][kCount]) {
  const auto multiply = [&](const T* factor, const float(&by)[kPieces][kCount],
                            float(&x)[kPieces][kCount]) {
    float f[kPieces][kCount];
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      if (factor != nullptr) load_piece<T, kAccess>(factor, t[i], length, f[i]);
    }
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
#pragma unroll
      for (int j = 0; j < kCount; ++j) x[i][j] = factor == nullptr ? by[i][j] : by[i][j] * f[i][j];
    }
  };
  if (row.skips) {
    // The skip stays out of the 16-bit transform: it is added here, in float.
    float v[kPieces][kCount];
#pragma unroll
    for (int i = 0; i < kPieces; ++i) load_piece<T, kAccess>(row.a, t[i], length, v[i]);
    multiply(row.b, v, v);
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
#pragma unroll
      for (int j = 0; j < kCount; ++j) value[i][j] = fmaf(row.skip, v[i][j], value[i][j]);
    }
  }
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    if (row.out[k] == nullptr) continue;
    float result[kPieces][kCount];
    multiply(row.factor[k], value, result);
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      store_piece<T, kAccess>(row.out[k], t[i], length, result[i]);
    }
  }
}

/// A part of a row: kOutPairs pairs of rows, kColumns n22 of each. Right operands in shared memory
/// are [pair][b][tile][step][lane], words [w % 2][p], tile t of columns n22 = kLane q + 2 t + e.
template <class Split>
struct OutShape {
  static constexpr int P = Split::P;
  static constexpr int Q = Split::Q;
  static constexpr int kThreads = Split::kOuter >= 1024 ? 512 : 256;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kBlocks = 512 / kThreads;  // of a multiprocessor
  static constexpr int kColumns = Split::kOuter >= 256 ? 16 : 32;
  static constexpr int kRowsOfA = P < 64 ? P : 64;  // a whose sums a lane has at a time
  static constexpr int kOutPairs = Q == 2 ? 2 : 1;
  static constexpr int kParts = kPairs / kOutPairs * (plan::kSide / kColumns);  // of a row
  static constexpr int kLane = kColumns / 4;  // neighbours that a lane gives out
  static constexpr int kTiles = kColumns / 8;
  static constexpr int kSteps = P / 8;
  static constexpr int kTileWords = kSteps * 32 * 4 + 16;  // neighbours' vectors in other banks
  static constexpr int kBWords = kTiles * kTileWords;
  static constexpr int kLeftWords = P / 16 * kSteps * 32 * 4;
  static constexpr int kOperandWords = kOutPairs * Q * kBWords;
  static constexpr int kNeighbours = Q <= 8 ? 2 : 1;  // n22 that a lane has in registers
  /// What a warp brings at a time: eight c, four times kNeighbours n22.
  static constexpr int kColumnSteps = kColumns / (4 * kNeighbours);
  static constexpr int kTasks = kOutPairs * P / 8 * kColumnSteps;
  static constexpr bool kStages = Split::kOuter <= 256;  // more than one block has memory for
  static constexpr int kStagedVectors = kStages ? kTasks * Q * 32 : 0;
  static constexpr int kBytes =
      Split::kTableBytes + 4 * (kLeftWords + kOperandWords) + 16 * kStagedVectors;
};

/// out = factor (z + skip v), of a group's rows, of each side.
template <class T>
struct OutputPieces {
  ApplyArgs<T> call[2];
  RowGroup group;
  RowScales scales;
  const float* tap_scale;  // [H]
  int length;

  __device__ RowOutputs<T> row(int r) const {
    const int row = r % group.rows();
    const int h = static_cast<int>(group.h(row));
    const int b = static_cast<int>(group.b(row));
    const float unscale = power_of_two(scales.exponent(r)) / tap_scale[h];
    // Not by a reference to one of two parameters: that would bring both to local memory.
    return r < group.rows() ? RowOutputs<T>(call[0], h, b, skip_of(call[0], h), unscale)
                            : RowOutputs<T>(call[1], h, b, skip_of(call[1], h), unscale);
  }
};

/// Rows a, a + 8 .. of one b from the block's right operands: `first` is the time of the lane's
/// first element, of row a of the upper row of a pair.
template <class T, Access kAccess, class Split>
__device__ inline void give_rows(const RowOutputs<T>& out, const Word* right, const uint4* left,
                                 int first, int length) {
  using Shape = OutShape<Split>;
  constexpr int kA = Shape::kRowsOfA / 16;
  float sum[2][kA][Shape::kTiles][4] = {};  // [p][sixteen a]
#pragma unroll
  for (int s = 0; s < Shape::kSteps; ++s) {
    uint4 v[Shape::kTiles];
#pragma unroll
    for (int tile = 0; tile < Shape::kTiles; ++tile) {
      v[tile] = *reinterpret_cast<const uint4*>(right + tile * Shape::kTileWords + 128 * s);
    }
#pragma unroll
    for (int of_a = 0; of_a < kA; ++of_a) {
      const uint4 x = left[32 * (Shape::kSteps * of_a + s)];
      const Word row[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
      for (int tile = 0; tile < Shape::kTiles; ++tile) {
        const uint4& w = v[tile];
        const bool swapped = tile >= 2;
        multiply_add(sum[0][of_a][tile], row, {swapped ? w.z : w.x, swapped ? w.x : w.z});
        multiply_add(sum[1][of_a][tile], row, {swapped ? w.w : w.y, swapped ? w.y : w.w});
      }
    }
  }
#pragma unroll
  for (int p = 0; p < 2; ++p) {
#pragma unroll
    for (int of_a = 0; of_a < kA; ++of_a) {
      int t[2];
      float value[2][Shape::kLane];
#pragma unroll
      for (int rh = 0; rh < 2; ++rh) {
        t[rh] = first + plan::kRing * Split::Q * (16 * of_a + 8 * rh) +
                plan::kSide * plan::kPairStep * p;
#pragma unroll
        for (int tile = 0; tile < Shape::kTiles; ++tile) {
          value[rh][2 * tile] = out.unscale * sum[p][of_a][tile][2 * rh];
          value[rh][2 * tile + 1] = out.unscale * sum[p][of_a][tile][2 * rh + 1];
        }
      }
      write_pieces<T, kAccess>(out, t, length, value);
    }
  }
}

/// Blocks take parts of `parts`, from a row on, in turn; the next one's values are on their way
/// meanwhile.
template <class T, Access kAccess, class Split>
__global__ void __launch_bounds__(OutShape<Split>::kThreads, OutShape<Split>::kBlocks)
    tensor_out_kernel(const uint4* const scratch, int first_row, int parts,
                      const OutputPieces<T> rows) {
  using Shape = OutShape<Split>;
  constexpr int P = Shape::P;
  constexpr int Q = Shape::Q;
  constexpr int kE = Shape::kNeighbours;
  extern __shared__ __align__(16) float2 memory[];
  const OuterTables<Split, PairOf<T>> tables(memory);
  // Left operands [sixteen a][step][lane].
  uint4* const left = reinterpret_cast<uint4*>(memory + Split::kTableBytes / 8);
  Word* const operands = reinterpret_cast<Word*>(left) + Shape::kLeftWords;
  uint4* const stage = reinterpret_cast<uint4*>(operands + Shape::kOperandWords);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4;
  const int q = lane % 4;
  __syncthreads();  // the tables
  for (int at = warp; at < P / 16 * Shape::kSteps; at += Shape::kWarps) {
    Word word[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 w = tables.entry(16 * (at / Shape::kSteps) + g + 8 * (i % 2),
                                    8 * (at % Shape::kSteps) + q + 4 * (i / 2));
      word[i] = two_halves(w.x, w.y);
    }
    left[32 * at + lane] = make_uint4(word[0], word[1], word[2], word[3]);
  }
  constexpr int kSplit = plan::kSide / Shape::kColumns;
  const auto first_r = [](int part) { return part % Shape::kParts / kSplit * Shape::kOutPairs; };
  const auto first_n22 = [](int part) { return part % kSplit * Shape::kColumns; };
  // Of a task: the lane's c, its n22 of the part's, and where its first value lies.
  const auto task_pair = [](int task) { return task / (Shape::kTasks / Shape::kOutPairs); };
  const auto task_c = [&](int task) { return 8 * (task / Shape::kColumnSteps % (P / 8)) + g; };
  const auto task_n22 = [&](int task) { return kE * (4 * (task % Shape::kColumnSteps) + q); };
  const auto source = [&](int part, int task) {
    return reinterpret_cast<const Word*>(
               scratch +
               (std::int64_t{first_row + part / Shape::kParts} * Split::kOuter + task_c(task)) *
                   kRingVectors +
               ring_vector(first_r(part) + task_pair(task), first_n22(part) + task_n22(task))) +
           2 * (task_n22(task) % 2);
  };
  const auto slot = [&](int task) { return stage + 32 * Q * task + lane; };
  const auto start = [&](int part) {
    if constexpr (Shape::kStages) {
#pragma unroll 1
      for (int task = warp; task < Shape::kTasks; task += Shape::kWarps) {
        const Word* const from = source(part, task);
#pragma unroll
        for (int d = 0; d < Q; ++d) {
          copy_later(shared_address(slot(task) + 32 * d), from + d * P * 4 * kRingVectors, true);
        }
      }
    }
  };

  after_last_pass();
  start(static_cast<int>(blockIdx.x));
#pragma unroll 1
  for (int part = static_cast<int>(blockIdx.x); part < parts; part += static_cast<int>(gridDim.x)) {
    if constexpr (Shape::kStages) copies_wait<0>();
#pragma unroll 1
    for (int task = warp; task < Shape::kTasks; task += Shape::kWarps) {
      const Word* const from = Shape::kStages ? nullptr : source(part, task);
      PairOf<T> y[kE][Q];  // [e][d]
#pragma unroll
      for (int d = 0; d < Q; ++d) {
        Word word[2 * kE];
        if constexpr (Shape::kStages) {
          load_words<kE>(reinterpret_cast<const Word*>(slot(task) + 32 * d), word);
        } else {
          load_words<kE>(from + d * P * 4 * kRingVectors, word);
        }
#pragma unroll
        for (int e = 0; e < kE; ++e) y[e][d] = PairOf<T>(word[2 * e], word[2 * e + 1]);
      }
#pragma unroll
      for (int e = 0; e < kE; ++e) transform<true>(y[e]);
      // Row c = 8 s + 4 i + q of the contraction is word i of step s in lane 4 g + q.
      const int c = task_c(task);
      const int n22 = task_n22(task);
      const int tile = n22 % Shape::kLane / 2;
      const int at = 4 * (2 * (n22 / Shape::kLane) + n22 % 2) + c % 4;
      Word* const to = operands + task_pair(task) * Q * Shape::kBWords + tile * Shape::kTileWords +
                       c / 8 * 128 + 4 * at + 2 * (c / 4 % 2 ^ tile / 2);  // swapped: all banks
#pragma unroll
      for (int b = 0; b < Q; ++b) {
        const auto w = tables.twiddle[P * b + c];
#pragma unroll
        for (int e = 0; e < kE; ++e) {
          y[e][b].template turn<true>(w);
          *reinterpret_cast<uint2*>(to + b * Shape::kBWords + 16 * e) =
              make_uint2(y[e][b].row(0), y[e][b].row(1));
        }
      }
    }
    __syncthreads();
    if (part + static_cast<int>(gridDim.x) < parts) start(part + static_cast<int>(gridDim.x));

    const RowOutputs<T> out = rows.row(first_row + part / Shape::kParts);
#pragma unroll 1
    for (int task = warp; task < Shape::kOutPairs * Q; task += Shape::kWarps) {
      const int pair = task / Q;
      const int b = task % Q;
      for (int first_a = 0; first_a < P; first_a += Shape::kRowsOfA) {
        give_rows<T, kAccess, Split>(out, operands + task * Shape::kBWords + 4 * lane,
                                     left + 2 * first_a * Shape::kSteps + lane,
                                     plan::kRing * (Q * (first_a + g) + b) +
                                         plan::kSide * plan::row_n21(first_r(part) + pair) +
                                         first_n22(part) + Shape::kLane * q,
                                     rows.length);
      }
    }
    __syncthreads();
  }
}

}  // namespace longconv::kernels::cuda::passes
