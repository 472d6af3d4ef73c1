// The outer stage of the ring kernels: rows of a tensor to R rings in shared memory and back.
//
// A task is 64 columns n2 (a pair of rows of plan::row_n21, all n22) of every n1, or for R < 8 as
// many such sets of columns as fill a 16x8 matrix: its rows are (set, re or im, k1), its columns
// (set, n1), zero where the sets differ. For R > 8, `sub` counts groups of eight rings.
// The blocks of a cluster share a row: each takes the columns of kTasks / kBlocks tasks.
#pragma once

#include "core/kernels/cuda/cluster.cuh"
#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/ring_tile.cuh"

namespace longconv::kernels::cuda {

/// Sizes that follow from R (and are powers of two) where kBlocks blocks share a row's columns.
template <int R, int kBlocks = 1>
struct RingShape {
  static constexpr int kLocal = R < 8 ? R : 8;  // rings of a sub
  static constexpr int kSubs = R / kLocal;
  static constexpr int kSets = 8 / kLocal;  // column sets of a task
  static constexpr int kTasks = 16 / kSets;
  static constexpr int kVectors = 2 * kSubs;          // 16-byte vectors a lane holds of a task
  static constexpr int kSteps = R <= 8 ? 1 : R / 16;  // products that contract n1
  static constexpr int kPoints = R * plan::kRing;
  // Words of a plane of a block's rows x 32 words and of a ring; the padding keeps the eight rows
  // of every 8x8 matrix in different banks.
  static constexpr int kRows = 16 / kBlocks;
  static constexpr int kPlane = 32 * kRows + (R == 1 ? 4 : R < 8 ? 16 : 0);
  static constexpr int kRing = (kPlane + 32 * kRows + 27) / 32 * 32 + 4;
};

/// Tasks that many apart (and multiples) lie at constant distances: plan::row_n21 adds up over
/// disjoint bits, and the swizzles look at a row's lowest two.
template <int R>
inline constexpr int kTaskStep = RingShape<R>::kSets >= 4 ? 1 : 4 / RingShape<R>::kSets;
template <int R>
__device__ constexpr int elements_on(int tasks) {
  return plan::row_n21(tasks * RingShape<R>::kSets) * plan::kSide;
}

/// A lane's place in a task: it holds elements element(i) + 0..7 of a row, i < kVectors.
template <int R>
struct TaskPlace {
  int first = 0;
  TaskPlace() = default;
  __device__ TaskPlace(int task, int lane) {
    const int g = lane >> 2;
    const int slot = 2 * (lane & 3);
    const int set = R < 8 ? slot / R : 0;
    const int n1 = R < 8 ? slot % R : slot;
    const int n21 = plan::row_n21(task * RingShape<R>::kSets + set) + plan::kPairStep * (g & 1);
    first = n1 * plan::kRing + n21 * plan::kSide + 8 * (g >> 1);
  }
  /// Vector i belongs to slot 2q + i % 2 + 8 (i / 2).
  __device__ int element(int i) const {
    constexpr int kNextSlot = R == 1 ? 4 * plan::kSide : plan::kRing;  // the next set, or n1
    return first + (i & 1) * kNextSlot + (i >> 1) * 8 * plan::kRing;
  }
  /// That of the task `tasks` on, a multiple of kTaskStep.
  __device__ TaskPlace on(int tasks) const {
    TaskPlace place;
    place.first = first + elements_on<R>(tasks);
    return place;
  }
};

__device__ inline Word word_of(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// Row (set, re or im, k1) `kappa` of the outer matrix of `sub`, column `slot` = (set, n1).
template <int R>
__device__ inline float outer_entry(int sub, int kappa, int slot) {
  constexpr int kLocal = RingShape<R>::kLocal;
  const int set = kappa / (2 * kLocal);
  const int k1 = 8 * sub + kappa % kLocal;
  const int n1 = R < 8 ? slot % R : slot;
  if (R < 8 && slot / R != set) return 0.0F;
  const float2 w = root(plan::outer_phase(R, n1, k1), rsqrtf(static_cast<float>(R)));
  return (kappa / kLocal) % 2 == 0 ? w.x : w.y;
}

/// The outer matrices in shared memory: left operands contract n1, right ones (set, part, k1).
template <int R>
struct OuterMatrices {
  using Shape = RingShape<R>;
  static constexpr int kLeft = R <= 8 ? 2 : 4;  // words of one left operand
  static constexpr int kLeftWords = 32 * Shape::kSubs * Shape::kSteps * kLeft;
  static constexpr int kRightWords = 32 * Shape::kSubs * Shape::kSubs * 2;
  static constexpr int kWords = kLeftWords + kRightWords;
  const Word* words;

  __device__ void make(Word* memory, int thread, int threads) {
    words = memory;
    for (int at = thread; at < kLeftWords; at += threads) {
      const int i = at % kLeft;
      const int lane = at / kLeft % 32;
      const int step = at / kLeft / 32 % Shape::kSteps;
      const int sub = at / kLeft / 32 / Shape::kSteps;
      const int row = lane / 4 + 8 * (i & 1);
      const int column = 16 * step + 2 * (lane % 4) + 8 * (i >> 1);
      memory[at] =
          two_halves(outer_entry<R>(sub, row, column), outer_entry<R>(sub, row, column + 1));
    }
    for (int at = thread; at < kRightWords; at += threads) {
      const int i = at % 2;
      const int lane = at / 2 % 32;
      const int sub = at / 64 % Shape::kSubs;
      const int nt = at / 64 / Shape::kSubs;
      const int row = 2 * (lane % 4) + 8 * i;
      const int column = 8 * nt + lane / 4;
      memory[kLeftWords + at] =
          two_halves(outer_entry<R>(sub, row, column), outer_entry<R>(sub, row + 1, column));
    }
  }
  /// Of sub `s` and contraction step `step`.
  __device__ void left(int lane, int s, int step, Word (&a)[kLeft]) const {
    const Word* const from = words + ((s * Shape::kSteps + step) * 32 + lane) * kLeft;
#pragma unroll
    for (int i = 0; i < kLeft; ++i) a[i] = from[i];
  }
  __device__ void right(int lane, int nt, int sub, Word (&b)[2]) const {
    const Word* const from = words + kLeftWords + ((nt * Shape::kSubs + sub) * 32 + lane) * 2;
    b[0] = from[0];
    b[1] = from[1];
  }
};

/// Address of the lane's row of `sub` in chunk 0 of a task's columns, and the swizzle to apply to
/// chunks: chunk j lies at row + 16 (j ^ swizzle). Tasks count from the block's first.
template <int R, int kBlocks>
struct MatrixRow {
  using Shape = RingShape<R, kBlocks>;
  std::uint32_t address;
  int swizzle;
  __device__ MatrixRow(std::uint32_t rings, int task, int kappa) {
    const int set = kappa / (2 * Shape::kLocal);
    const int part = kappa / Shape::kLocal % 2;
    const int k1 = kappa % Shape::kLocal;
    const int row = task * Shape::kSets + set;
    address = rings + 4 * (k1 * Shape::kRing + part * Shape::kPlane + 32 * row);
    swizzle = 2 * (row & 3);
  }
  /// For outer_forward and for outer_inverse.
  __device__ static MatrixRow forward(std::uint32_t rings, int task, int lane) {
    return {rings, task, 8 * (lane / 8 % 2) + lane % 8};
  }
  __device__ static MatrixRow inverse(std::uint32_t rings, int task, int lane) {
    return {rings, task, 8 * (lane / 16) + lane % 8};
  }
  /// Those of the task `tasks` on, a multiple of kTaskStep.
  __device__ MatrixRow on(int tasks) const {
    MatrixRow row = *this;
    row.address += 4 * 32 * tasks * Shape::kSets;
    return row;
  }
  __device__ std::uint32_t chunk(int sub, int j) const {
    return address + 4 * 8 * sub * Shape::kRing + 16 * (j ^ swizzle);
  }
};

/// A task's columns, as right operands [column tile][slots 2q, 2q+1 of eight], through the outer
/// stage into the rings of sub `s`.
template <int R, int kBlocks>
__device__ inline void outer_forward(const Word (&right)[8][RingShape<R>::kVectors / 2],
                                     const OuterMatrices<R>& matrices,
                                     const MatrixRow<R, kBlocks>& row, int s, int lane) {
  using Shape = RingShape<R>;
  const int upper = lane / 16;
  Word left[Shape::kSteps][OuterMatrices<R>::kLeft];
#pragma unroll
  for (int step = 0; step < Shape::kSteps; ++step) matrices.left(lane, s, step, left[step]);
#pragma unroll
  for (int j = 0; j < 8; j += 2) {
    Word d[2][2] = {};
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      if constexpr (R <= 8) {
        multiply_add(d[tile], left[0], right[j + tile][0]);
      } else {
#pragma unroll
        for (int step = 0; step < Shape::kSteps; ++step) {
          const Word b[2] = {right[j + tile][2 * step], right[j + tile][2 * step + 1]};
          multiply_add(d[tile], left[step], b);
        }
      }
    }
    store_matrices(row.chunk(s, j | upper), d[0][0], d[0][1], d[1][0], d[1][1]);
  }
}

/// The way back, real parts: value[i][j] is element j of the lane's vector first + i.
template <int R, int kBlocks, int kCount>
__device__ inline void outer_inverse(const OuterMatrices<R>& matrices,
                                     const MatrixRow<R, kBlocks>& rows, int first, int lane,
                                     float (&value)[kCount][8]) {
  using Shape = RingShape<R>;
  const int upper = lane / 8 % 2;
#pragma unroll
  for (int j = 0; j < 8; j += 2) {
    float sum[kCount / 2][4] = {};
#pragma unroll
    for (int sub = 0; sub < Shape::kSubs; ++sub) {
      Word a[4];
      load_matrices_transposed(a, rows.chunk(sub, j | upper));
#pragma unroll
      for (int nt = 0; nt < kCount / 2; ++nt) {
        Word right[2];
        matrices.right(lane, first / 2 + nt, sub, right);
        multiply_add(sum[nt], a, right);
      }
    }
#pragma unroll
    for (int nt = 0; nt < kCount / 2; ++nt) {
      value[2 * nt][j] = sum[nt][0];
      value[2 * nt + 1][j] = sum[nt][1];
      value[2 * nt][j + 1] = sum[nt][2];
      value[2 * nt + 1][j + 1] = sum[nt][3];
    }
    if constexpr (Shape::kSubs > 1) fence();
  }
}

}  // namespace longconv::kernels::cuda
