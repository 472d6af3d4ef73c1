// The filter's gradient: by lags d, sum_b sum_t dw[b,t] v[b,t-d], from tiles of v and dw.
//
// The product P[s,t] = sum_b v[b,s] dw[b,t] has the batch as its inner dimension; the gradient sums
// it along diagonals. All 16x8 tiles of P with the same t0 - s0 go into one set of float
// accumulators, whose 23 diagonals are summed at the end, so nothing L x L exists. A block owns a
// channel and walks the batch: no atomics, no partial sums in memory, a fixed order of additions.
#pragma once

#include "core/kernels/cuda/toeplitz_tile.cuh"

#include <climits>

namespace longconv::kernels::cuda::toeplitz {

inline constexpr int kDiagonals = 23;  // of a 16x8 tile
inline constexpr int kOffsets = 8;     // t0 - s0 in steps of 8: a set is 64 lags
inline constexpr int kNoSum = INT_MIN / 2;

/// A warp's sums: kSets sets of 64 lags, of all the warps' 4 kSets. Sets are numbered outwards from
/// lag 0: 0, 1, 2 or, two-sided, 0, -1, 1, -2, 2.
template <int kSets, bool kTwoSided>
class LagSums {
 public:
  /// Lags of set number p begin at 64 times this.
  __device__ static int begin_of(int p) {
    return !kTwoSided || p % 2 == 0 ? p >> kTwoSided : -(p + 1) / 2;
  }
  __device__ static int set_at(int begin) {
    if (!kTwoSided) return begin;
    return begin >= 0 ? 2 * begin : -2 * begin - 1;
  }
  /// The set number of this warp's i-th: near ones and far ones for every warp, and other warps for
  /// other blocks, as near ones have most to do.
  __device__ static int mine(int i) {
    const int warp = (static_cast<int>(threadIdx.x) / 32 + static_cast<int>(blockIdx.x)) % kWarps;
    return kWarps * i + (i % 2 == 0 ? warp : kWarps - 1 - warp);
  }

  /// Adds 16 rows. v, dw: their tiles of 16 rows by `chunks`; zero: a chunk of zeros; factor: of
  /// the rows, which brings the products to a common scale; lags -back .. ahead are wanted.
  __device__ void add(const uint4* v, const uint4* dw, const uint4* zero, const __half* factor,
                      int chunks, int back, int ahead) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int b = lane % 8;
    // Matrices of a left operand: s 0-7, s 8-15 of rows 0-7, then of rows 8-15; of two right ones:
    // rows 0-7, rows 8-15 of t 0-7, then of t 8-15.
    const int left_unit = place_in_chunk(8 * (lane / 16) + b, lane / 8 % 2);
    const int right_unit = place_in_chunk(8 * (lane / 8 % 2) + b, lane / 16);
    const __half2 factors[2] = {*reinterpret_cast<const __half2*>(factor + 2 * (lane % 4)),
                                *reinterpret_cast<const __half2*>(factor + 8 + 2 * (lane % 4))};
#pragma unroll
    for (int i = 0; i < kSets; ++i) {
      const int begin = begin_of(mine(i));
      if (64 * begin - 15 > ahead || 64 * begin + 63 < -back) continue;
      const int lead = 8 * begin;  // t0 - s0, in eights
      std::uint32_t right[kOffsets][2];
      const auto load_pair = [&](int slot, int t) {  // t: in eights, even
        const int chunk = t >> 2;
        const bool inside = static_cast<unsigned>(chunk) < static_cast<unsigned>(chunks);
        const uint4* const at = inside ? dw + 64 * chunk : zero;
        std::uint32_t words[4];
        load_matrices_transposed(words, shared_address(at + (right_unit ^ (t & 2))));
        right[slot][0] = words[0];
        right[slot][1] = words[1];
        right[slot + 1][0] = words[2];
        right[slot + 1][1] = words[3];
      };
      const int from = max(0, -lead / 2 - 4);  // s0, in sixteens
      const int to = min(2 * chunks, (4 * chunks - lead) / 2);
#pragma unroll
      for (int p = 0; p < 3; ++p) load_pair(2 * p, 2 * from + lead + 2 * p);
#pragma unroll 1
      for (int s = from; s < to; s += 4) {
#pragma unroll
        for (int u = 0; u < 4; ++u) {
          load_pair((6 + 2 * u) & 7, 2 * (s + u) + lead + 6);
          std::uint32_t left[4];
          load_matrices_transposed(
              left, shared_address(v + 64 * ((s + u) / 2) + (left_unit ^ (2 * (u % 2)))));
#pragma unroll
          for (int w = 0; w < 4; ++w) {
            left[w] = as_word(__hmul2(as_half2(left[w]), factors[w / 2]));
          }
#pragma unroll
          for (int j = 0; j < kOffsets; ++j) {
            multiply_add(sum_[i][j], left, right[(j + 2 * u) & 7]);
          }
        }
      }
    }
  }

  __device__ void scale(float by) {
#pragma unroll
    for (auto& set : sum_) {
#pragma unroll
      for (auto& tile : set) {
#pragma unroll
        for (float& x : tile) x *= by;
      }
    }
  }

  /// Floats of shared memory that `store` fills, and that it wants besides.
  static constexpr int kStored = kWarps * kSets * kOffsets * kDiagonals;
  static constexpr int kScratch = kWarps * 16 * 9;

  /// Every tile's diagonals, each summed in a fixed order.
  __device__ void store(float* diagonals, float* scratch) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float* const tile = scratch + static_cast<int>(threadIdx.x) / 32 * (16 * 9);  // rows of 9
    const int g = lane / 4;
    const int q = lane % 4;
#pragma unroll
    for (int i = 0; i < kSets; ++i) {
#pragma unroll
      for (int j = 0; j < kOffsets; ++j) {
        tile[g * 9 + 2 * q] = sum_[i][j][0];
        tile[g * 9 + 2 * q + 1] = sum_[i][j][1];
        tile[(g + 8) * 9 + 2 * q] = sum_[i][j][2];
        tile[(g + 8) * 9 + 2 * q + 1] = sum_[i][j][3];
        __syncwarp();
        if (lane < kDiagonals) {  // diagonal e holds t - s = e - 15
          float total = 0.0F;
          for (int t = 0; t < 8; ++t) {
            const int s = t + 15 - lane;
            if (s >= 0 && s < 16) total += tile[s * 9 + t];
          }
          diagonals[(kOffsets * mine(i) + j) * kDiagonals + lane] = total;
        }
        __syncwarp();
      }
    }
  }

  /// Lag d's sum, of what `store` left; |d| < L.
  __device__ static float total(const float* diagonals, int d) {
    float sum = 0.0F;
    for (int e = d >> 3; e <= (d + 15) >> 3; ++e) {  // tiles that have the diagonal
      const int set = set_at(e >> 3);
      const int diagonal = d - 8 * e + 15;
      if (set < kWarps * kSets && diagonal >= 0 && diagonal < kDiagonals) {
        sum += diagonals[(kOffsets * set + (e & 7)) * kDiagonals + diagonal];
      }
    }
    return sum;
  }

 private:
  float sum_[kSets][kOffsets][4] = {};
};

}  // namespace longconv::kernels::cuda::toeplitz
