// Matrix products in float32's precision on tensor cores: each operand is split into two parts of
// 11 bits, x = hi + lo, and a b = hi hi + hi lo + lo hi is summed in float. What is left out, lo lo
// and lo's last bit, is some 2^-23 of the product.
//
// Matrices lie in shared memory as plan::swizzled says. Lane = 4 g + q, and of a tile
//   left 16x8     [0] (g, q)   [1] (g + 8, q)   [2] (g, q + 4)   [3] (g + 8, q + 4)
//   right 8x8     [0] (q, g)   [1] (q + 4, g)
//   product 16x8  [0] (g, 2q)  [1] (g, 2q + 1)  [2] (g + 8, 2q)  [3] (g + 8, 2q + 1)
#pragma once

#include "core/plan/implicit_filter_plan.h"

#include <cstdint>

namespace longconv::kernels::cuda {

struct ProductLane {
  int g, q;
  __device__ explicit ProductLane(int lane) : g(lane / 4), q(lane % 4) {}
};

/// An operand whose matrix has the operand's own rows (left) or columns (right) as rows: the
/// contraction runs along them.
template <int kStride>
struct AlongRows {
  const float* base;
  /// Element (outer + g, k + 4 half + q) of the matrix; outer and k multiples of 8.
  template <int kHalf>
  __device__ float at(const ProductLane& l, int outer, int k) const {
    return base[(outer + l.g) * kStride + (k ^ (4 * kHalf ^ l.q ^ plan::bank_shift(l.g)))];
  }
};

/// An operand whose matrix has the contraction's terms as rows.
template <int kStride>
struct AcrossRows {
  const float* base;
  /// Element (k + 4 half + q, outer + g) of the matrix.
  template <int kHalf>
  __device__ float at(const ProductLane& l, int outer, int k) const {
    // Only bits 3 and 4 of the column meet the bank shift; the others just add up.
    const int low = (outer & 24) ^ (l.g ^ (l.q << 3) ^ 4 * kHalf);
    return base[(k + 4 * kHalf + l.q) * kStride + (outer & ~31) + low];
  }
};

struct SplitFloat {
  std::uint32_t hi, lo;
  __device__ explicit SplitFloat(float x) {
    hi = (__float_as_uint(x) + 0x1000U) & 0xFFFFE000U;  // to nearest
    lo = __float_as_uint(x - __uint_as_float(hi));
  }
};

__device__ inline void multiply_add_tf32(float (&c)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// c[m][n] += left[16 rows a tile, from row0] right[8 columns a tile, from column0], summed over
/// 0 .. depth-1, a multiple of 8. With kCut, tiles from column `end` on may be left out: their
/// values are of no use.
template <int kUnroll, bool kCut = false, int kRowTiles, int kColumnTiles, class Left, class Right>
__device__ void multiply_add(float (&c)[kRowTiles][kColumnTiles][4], const ProductLane& lane,
                             const Left& left, int row0, const Right& right, int column0, int depth,
                             int end = 0) {
#pragma unroll kUnroll
  for (int k = 0; k < depth; k += 8) {
    std::uint32_t hi[kRowTiles][4];
    std::uint32_t lo[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = row0 + 16 * m + 8 * (i % 2);
        const SplitFloat part(i < 2 ? left.template at<0>(lane, row, k)
                                    : left.template at<1>(lane, row, k));
        hi[m][i] = part.hi;
        lo[m][i] = part.lo;
      }
    }
    // Several tiles at a time: an instruction waits for the one before it on the same sums.
    constexpr int kGroup = kRowTiles * kColumnTiles <= 4 ? kColumnTiles : 4 / kRowTiles;
    static_assert(kColumnTiles % kGroup == 0);
#pragma unroll
    for (int n0 = 0; n0 < kColumnTiles; n0 += kGroup) {
      if (kCut && column0 + 8 * n0 >= end) break;
      std::uint32_t b_hi[kGroup][2];
      std::uint32_t b_lo[kGroup][2];
#pragma unroll
      for (int n = 0; n < kGroup; ++n) {
        const int column = column0 + 8 * (n0 + n);
        const SplitFloat first(right.template at<0>(lane, column, k));
        const SplitFloat second(right.template at<1>(lane, column, k));
        b_hi[n][0] = first.hi;
        b_hi[n][1] = second.hi;
        b_lo[n][0] = first.lo;
        b_lo[n][1] = second.lo;
      }
#pragma unroll
      for (int n = 0; n < kGroup; ++n) {
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) multiply_add_tf32(c[m][n0 + n], lo[m], b_hi[n]);
      }
#pragma unroll
      for (int n = 0; n < kGroup; ++n) {
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) multiply_add_tf32(c[m][n0 + n], hi[m], b_lo[n]);
      }
#pragma unroll
      for (int n = 0; n < kGroup; ++n) {
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) multiply_add_tf32(c[m][n0 + n], hi[m], b_hi[n]);
      }
    }
  }
}

}  // namespace longconv::kernels::cuda
