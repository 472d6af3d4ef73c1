// A row among the ring kernels' warps: its scale, twiddles, and rings between shared memory and
// registers.
#pragma once

#include "core/kernels/cuda/cluster.cuh"
#include "core/kernels/cuda/ring_outer.cuh"

#include <cuda_runtime.h>

namespace longconv::kernels::cuda {

/// Binary exponent of a row's root mean square is brought to 0.
struct RowScale {
  float scale;
  float unscale;
};
/// From the sum of squares of x * pre over M points.
__device__ inline RowScale row_scale(float squares, int points, float pre) {
  const float mean = squares / static_cast<float>(points);
  if (!(mean > 0.0F) || isinf(mean)) return {1.0F, 1.0F};  // zero, nan or inf: they come through
  const int exponent = static_cast<int>(__float_as_uint(mean) >> 23) - 127;
  const int half = exponent >> 1;
  return {pre * power_of_two(-half), power_of_two(half) / pre};
}
/// Squares may leave float's range where the values do not: then they are taken of x * pre.
__device__ inline float pre_scale(float squares) {
  if (squares >= 1e-30F && squares <= 1e35F) return 1.0F;
  return squares < 1e-30F ? 0x1p80F : 0x1p-80F;
}

/// x *= the twiddles of a ring, or their conjugates, made of two factors: of n21 and of n22. `mine`
/// is the ring's kFactorVectors.
inline constexpr int kFactorVectors = 4 * 2 + 8 * 2;
template <bool kConjugate>
__device__ inline void twist_ring(const uint4* mine, int lane, RingTime& x) {
  const uint4 br = mine[8 + 2 * (lane / 4)];
  const uint4 bi = mine[8 + 2 * (lane / 4) + 1];
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const uint4 f = mine[2 * (lane % 4) + c];
#pragma unroll
    for (int kp = 0; kp < 2; ++kp) {
#pragma unroll
      for (int a = 0; a < 4; ++a) {
        Word wr = word_of(br, a);
        Word wi = word_of(bi, a);
        twist<false>(wr, wi, kp == 0 ? f.x : f.z, kp == 0 ? f.y : f.w);
        twist<kConjugate>(x.re[c][kp][a], x.im[c][kp][a], wr, wi);
      }
    }
  }
}
/// Vector `at` of a ring's factors: [q][c], words (kp, part), of n21; then [g][part], words a, of
/// n22.
__device__ inline uint4 factor_vector(int outer, int k1, int at) {
  Word w[4];
  for (int i = 0; i < 4; ++i) {
    if (at < 8) {
      const int n21 = plan::row_n21(8 * (at % 2) + 4 * (i / 2) + at / 2);
      const RootWords x(plan::ring_twiddle(outer, k1, plan::kSide * n21),
                        plan::ring_twiddle(outer, k1, plan::kSide * (n21 + plan::kPairStep)));
      w[i] = i % 2 == 0 ? x.re : x.im;
    } else {
      const plan::Phase phase = plan::ring_twiddle(outer, k1, plan::word_n22((at - 8) / 2, i));
      const RootWords x(phase, phase);
      w[i] = at % 2 == 0 ? x.re : x.im;
    }
  }
  return make_uint4(w[0], w[1], w[2], w[3]);
}

/// A block's transforms of rings `first`.. first + kRings - 1, with its tables in shared memory.
/// Where a warp keeps to one ring (kRings <= 8) the ring's twiddle is in matrices and middle
/// twiddles of its own; else it is applied by factors. kLeftInRegisters: the ring's own left
/// matrices do not go to shared memory; the warp calls take().
template <int R, int kRings, bool kLeftInRegisters = false>
struct RingTransform {
  static constexpr bool kOwnRing = kRings <= 8;
  static constexpr int kMiddle = 32 * kMiddleVectors;  // vectors of one table
  static constexpr int kMatrix = 32 * kMatrixVectors;  // vectors of one pair of matrices
  static_assert(kOwnRing || !kLeftInRegisters);

  // Where the tables begin, in vectors.
  static constexpr int kMiddleForward = 0;
  static constexpr int kMiddleBack = kOwnRing ? kMiddleForward + kRings * kMiddle : kMiddleForward;
  static constexpr int kFactors = kMiddleBack + (kOwnRing ? kRings : 1) * kMiddle;
  static constexpr int kPlain = kFactors + (kOwnRing ? 0 : kRings * kFactorVectors);
  static constexpr int kOwnRight = kPlain + 2 * kMatrix;
  static constexpr int kOwnLeft = kOwnRight + (kOwnRing ? kRings * kMatrix : 0);
  static constexpr int kVectors = kOwnLeft + (kOwnRing && !kLeftInRegisters ? kRings * kMatrix : 0);

  LeftMatrices left;  // kLeftInRegisters only: the ring's
  const uint4* tables;
  int lane;

  /// By all threads of the block, which meet afterwards.
  __device__ void make(uint4* memory, int first, int thread, int threads) {
    tables = memory;
    lane = thread % 32;
    const int warp = thread / 32;
    const int warps = threads / 32;
    if (warp == 0) SharedMatrices<RightMatrices>::make(memory + kPlain + lane, lane, PlainPhase{});
    if (warp == 1) {
      SharedMatrices<LeftMatrices>::make(memory + kPlain + kMatrix + lane, lane, PlainPhase{});
    }
    if constexpr (kOwnRing) {
      for (int ring = warp; ring < kRings; ring += warps) {
        const RingPhase phase{R, first + ring};
        uint4* const mine = memory + ring * kMatrix + lane;
        SharedMatrices<RightMatrices>::make(mine + kOwnRight, lane, phase);
        if constexpr (!kLeftInRegisters) {
          SharedMatrices<LeftMatrices>::make(mine + kOwnLeft, lane, phase);
        }
      }
      for (int at = thread; at < kRings * kMiddle; at += threads) {
        const int k1 = first + at / kMiddle;
        const int vector = at / 32 % kMiddleVectors;
        memory[kMiddleForward + at] = middle_vector(lane, vector, [&](int k2, int n22) {
          return plan::ring_middle_twiddle(R, k1, n22, k2);
        });
        memory[kMiddleBack + at] = middle_vector(lane, vector, [&](int n22, int k2) {
          return plan::ring_middle_twiddle(R, k1, n22, k2);
        });
      }
    } else {
      for (int at = thread; at < kRings * kFactorVectors; at += threads) {
        memory[kFactors + at] = factor_vector(R, first + at / kFactorVectors, at % kFactorVectors);
      }
      for (int at = thread; at < kMiddle; at += threads) {
        memory[kMiddleForward + at] = middle_vector(
            lane, at / 32, [](int row, int column) { return plan::middle_twiddle(row, column); });
      }
    }
  }
  /// By a warp that keeps to ring k1 (of R).
  __device__ void take(int k1) {
    static_assert(kLeftInRegisters);
    left.make(lane, RingPhase{R, k1});
  }

  /// `ring` counts from the first.
  __device__ void forward(int ring, RingTime& x, RingSpectrum& z) const {
    const SharedMatrices<RightMatrices> plain{tables + kPlain + lane};
    if constexpr (kOwnRing) {
      const uint4* const middle = tables + kMiddleForward + ring * kMiddle + lane;
      if constexpr (kLeftInRegisters) {
        forward_ring(left, plain, x, middle, z);
      } else {
        const SharedMatrices<LeftMatrices> own{tables + kOwnLeft + ring * kMatrix + lane};
        forward_ring(own, plain, x, middle, z);
      }
    } else {
      twist_ring<false>(tables + kFactors + ring * kFactorVectors, lane, x);
      const SharedMatrices<LeftMatrices> plain_left{tables + kPlain + kMatrix + lane};
      forward_ring(plain_left, plain, x, tables + kMiddleForward + lane, z);
    }
  }
  __device__ void inverse(int ring, const RingSpectrum& z, RingTime& x) const {
    const SharedMatrices<LeftMatrices> plain{tables + kPlain + kMatrix + lane};
    if constexpr (kOwnRing) {
      const SharedMatrices<RightMatrices> own{tables + kOwnRight + ring * kMatrix + lane};
      inverse_ring(plain, own, z, tables + kMiddleBack + ring * kMiddle + lane, x);
    } else {
      const SharedMatrices<RightMatrices> plain_right{tables + kPlain + lane};
      inverse_ring(plain, plain_right, z, tables + kMiddleBack + lane, x);
      twist_ring<true>(tables + kFactors + ring * kFactorVectors, lane, x);
    }
  }
};

/// Where a lane finds row i = (c, kp) of its ring, in words; imaginary parts lie kPlane words on.
/// Block i / kShare of a cluster has it.
template <int R, int kBlocks>
struct RingRow {
  using Shape = RingShape<R, kBlocks>;
  static constexpr int kShare = 4 / kBlocks;
  __device__ static int words(int ring, int i, int lane) {
    const int q = lane % 4;
    return ring * Shape::kRing + 32 * (4 * (i % kShare) + q) + 4 * ((lane / 4) ^ (2 * q));
  }
};
/// `rings`: where the part of each block of the cluster begins, in this block's shared memory.
template <int R, int kBlocks>
__device__ inline void load_ring(const std::uint32_t (&rings)[kBlocks], int ring, int lane,
                                 RingTime& x) {
  using Row = RingRow<R, kBlocks>;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t at = rings[i / Row::kShare] + 4 * Row::words(ring, i, lane);
    const uint4 re = load_vector(at);
    const uint4 im = load_vector(at + 4 * Row::Shape::kPlane);
#pragma unroll
    for (int a = 0; a < 4; ++a) {
      x.re[i / 2][i % 2][a] = word_of(re, a);
      x.im[i / 2][i % 2][a] = word_of(im, a);
    }
  }
}
/// The way back, each part to its block: store(block, address, vector).
template <int R, int kBlocks, class Store>
__device__ inline void store_ring(std::uint32_t rings, int ring, int lane, const RingTime& x,
                                  const Store& store) {
  using Row = RingRow<R, kBlocks>;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const auto& re = x.re[i / 2][i % 2];
    const auto& im = x.im[i / 2][i % 2];
    const std::uint32_t at = rings + 4 * Row::words(ring, i, lane);
    store(i / Row::kShare, at, make_uint4(re[0], re[1], re[2], re[3]));
    store(i / Row::kShare, at + 4 * Row::Shape::kPlane, make_uint4(im[0], im[1], im[2], im[3]));
  }
}
/// store_ring in the block itself.
struct StoreHere {
  __device__ void operator()(int, std::uint32_t at, const uint4& v) const { store_vector(at, v); }
};

/// z *= the filter's spectrum, or its conjugate with `flip` = the sign bits; `spectrum` is the
/// lane's column of the ring's kSpectrumVectors, 32 apart.
__device__ inline void multiply_spectrum(const uint4* spectrum, Word flip, RingSpectrum& z) {
#pragma unroll
  for (int v = 0; v < 8; ++v) {
    const uint4 w = spectrum[32 * v];
    auto& re = z.re[v >> 2][(v >> 1) & 1][v & 1];
    auto& im = z.im[v >> 2][(v >> 1) & 1][v & 1];
    twist<false>(re[0], im[0], w.x, w.y ^ flip);
    twist<false>(re[1], im[1], w.z, w.w ^ flip);
  }
}

}  // namespace longconv::kernels::cuda
