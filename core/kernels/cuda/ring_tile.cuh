// Pieces of the ring kernels: a warp's transform of one ring of 1024 points on tensor cores.
//
// The algebra and the places of all values are core/plan/ring_plan.h. A ring lives in a warp's
// registers, 32 words of two fp16 real parts and 32 of imaginary parts a lane, through four matrix
// products: the accumulator of each is, as it lies, an operand of the next. Every stage carries
// 1/sqrt(its size), so that the transform keeps the energy and fp16 its range; accumulators between
// stages are fp16, the last stage's float.
#pragma once

#include "core/kernels/cuda/tensor_core.cuh"
#include "core/plan/ring_plan.h"

#include <cuda_fp16.h>

#include <cstdint>

namespace longconv::kernels::cuda {

using Word = std::uint32_t;  // two fp16

__device__ inline __half2 as_half2(Word w) { return *reinterpret_cast<const __half2*>(&w); }
__device__ inline Word as_word(__half2 h) { return *reinterpret_cast<const Word*>(&h); }
__device__ inline Word negated(Word w) { return w ^ 0x80008000U; }
__device__ inline Word add(Word a, Word b) { return as_word(__hadd2(as_half2(a), as_half2(b))); }
__device__ inline Word sub(Word a, Word b) { return as_word(__hsub2(as_half2(a), as_half2(b))); }

/// (re, im) *= (wr, wi), or its conjugate.
template <bool kConjugate>
__device__ inline void twist(Word& re, Word& im, Word wr, Word wi) {
  const __half2 a = as_half2(re);
  const __half2 b = as_half2(im);
  const __half2 c = as_half2(wr);
  const __half2 d = kConjugate ? __hneg2(as_half2(wi)) : as_half2(wi);
  re = as_word(__hfma2(__hneg2(b), d, __hmul2(a, c)));
  im = as_word(__hfma2(b, c, __hmul2(a, d)));
}

/// e^{2 pi i phase} * scale.
__device__ inline float2 root(plan::Phase phase, float scale = 1.0F) {
  float s;
  float c;
  sincospif(2.0F * static_cast<float>(phase.numerator) / static_cast<float>(phase.denominator), &s,
            &c);
  return {c * scale, s * scale};
}
__device__ inline Word two_halves(float low, float high) {
  return as_word(__floats2half2_rn(low, high));
}

inline constexpr float kInnerScale = 0.17677669529663687F;  // 1/sqrt(32)

/// Two neighbours of a matrix of roots as words of real and imaginary parts.
struct RootWords {
  Word re;
  Word im;
  __device__ RootWords(plan::Phase low, plan::Phase high, float scale = 1.0F) {
    const float2 x = root(low, scale);
    const float2 y = root(high, scale);
    re = two_halves(x.x, y.x);
    im = two_halves(x.y, y.y);
  }
};

/// A 32-point stage's two 16-point matrices as left operands; rows are inner_phase's j.
struct LeftMatrices {
  Word re[2][4];  // [residue]
  Word im[2][4];

  /// phase(row, column, residue).
  template <class PhaseOf>
  __device__ void make(int lane, const PhaseOf& phase) {
#pragma unroll
    for (int residue = 0; residue < 2; ++residue) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = (lane >> 2) + 8 * (i & 1);
        const int column = 2 * (lane & 3) + 8 * (i >> 1);
        const RootWords w(phase(row, column, residue), phase(row, column + 1, residue),
                          kInnerScale);
        re[residue][i] = w.re;
        im[residue][i] = w.im;
      }
    }
  }
  __device__ const LeftMatrices& get() const { return *this; }
};

/// The same as right operands; rows are inner_phase's j again.
struct RightMatrices {
  Word re[2][2][2];  // [residue][column tile]
  Word im[2][2][2];

  template <class PhaseOf>
  __device__ void make(int lane, const PhaseOf& phase) {
#pragma unroll
    for (int residue = 0; residue < 2; ++residue) {
#pragma unroll
      for (int nt = 0; nt < 2; ++nt) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int row = 2 * (lane & 3) + 8 * i;
          const int column = (lane >> 2) + 8 * nt;
          const RootWords w(phase(row, column, residue), phase(row + 1, column, residue),
                            kInnerScale);
          re[residue][nt][i] = w.re;
          im[residue][nt][i] = w.im;
        }
      }
    }
  }
  __device__ const RightMatrices& get() const { return *this; }
};

/// The phases of the stages that know no ring.
struct PlainPhase {
  __device__ plan::Phase operator()(int j, int i, int residue) const {
    return plan::inner_phase(j, i, residue);
  }
};
/// Those of the stage over n21 with the ring's twiddle in them.
struct RingPhase {
  int outer;
  int k1;
  __device__ plan::Phase operator()(int b, int alpha, int c) const {
    return plan::ring_inner_phase(outer, k1, b, 2 * alpha + c);
  }
};

/// Matrices in shared memory, read when their stage begins: registers are too few to keep them.
/// `mine` is the lane's column of 4 vectors, 32 apart.
inline constexpr int kMatrixVectors = 4;
template <class Matrices>
struct SharedMatrices {
  const uint4* mine;
  template <class PhaseOf>
  __device__ static void make(uint4* column, int lane, const PhaseOf& phase) {
    Matrices m;
    m.make(lane, phase);
    const uint4* const words = reinterpret_cast<const uint4*>(&m);
#pragma unroll
    for (int i = 0; i < 4; ++i) column[32 * i] = words[i];
  }
  __device__ Matrices get() const {
    Matrices m;
    uint4* const words = reinterpret_cast<uint4*>(&m);
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = mine[32 * i];
    return m;
  }
};

/// A ring in time: [c][kp][a], the lane's words of rows (c, kp, q), chunk g.
struct RingTime {
  Word re[2][2][4];
  Word im[2][2][4];
};
/// A ring's spectrum: [beta][eps][nt][rh], plan::spectrum_place.
struct RingSpectrum {
  Word re[2][2][2][2];
  Word im[2][2][2][2];
};

inline constexpr int kMiddleVectors = 8;  // 16-byte vectors a lane: 2 x (re, im) each
/// Vector v = 4 i + t of lane 4 g + q of a table of middle twiddles: for rh = 0, 1 the phases of
/// (row, column), (row, column + 1) = (16 i + 8 rh + g, 8 t + 2 q). Forward a row is k2 and a
/// column n22, back the other way round.
template <class PhaseOf>
__device__ inline uint4 middle_vector(int lane, int vector, const PhaseOf& phase) {
  const int row = 16 * (vector >> 2) + (lane >> 2);
  const int column = 8 * (vector & 3) + 2 * (lane & 3);
  const RootWords low(phase(row, column), phase(row, column + 1));
  const RootWords high(phase(row + 8, column), phase(row + 8, column + 1));
  return make_uint4(low.re, low.im, high.re, high.im);
}

/// Keeps the compiler from interleaving the steps of a stage: it would run out of registers, and
/// the other warps hide the latency already.
__device__ inline void fence() { __syncwarp(); }

/// The same value, of which the compiler knows nothing: what follows from it is worked out where it
/// is used, and not kept in registers (or spilled) around a loop.
__device__ inline int renewed(int x) {
  asm volatile("" : "+r"(x));
  return x;
}

/// The lane's 1024-point ring from time to spectrum. `middle` is the lane's column of the table of
/// middle vectors, 32 vectors apart; the matrices lie in registers or in shared memory.
template <class Left, class Right>
__device__ inline void forward_ring(const Left& left_matrices, const Right& right_matrices,
                                    const RingTime& x, const uint4* middle, RingSpectrum& z) {
  const LeftMatrices& left = left_matrices.get();
  Word re[2][4][2];  // [beta][t][rh]
  Word im[2][4][2];
#pragma unroll
  for (int t = 0; t < 4; ++t) {
    Word y_re[2][2] = {};
    Word y_im[2][2] = {};
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const Word b_re[2] = {x.re[c][0][t], x.re[c][1][t]};
      const Word b_im[2] = {x.im[c][0][t], x.im[c][1][t]};
      const Word n_im[2] = {negated(b_im[0]), negated(b_im[1])};
      multiply_add(y_re[c], left.re[c], b_re);
      multiply_add(y_im[c], left.im[c], b_re);
      multiply_add(y_re[c], left.im[c], n_im);
      multiply_add(y_im[c], left.re[c], b_im);
    }
#pragma unroll
    for (int rh = 0; rh < 2; ++rh) {
      re[0][t][rh] = add(y_re[0][rh], y_re[1][rh]);
      im[0][t][rh] = add(y_im[0][rh], y_im[1][rh]);
      re[1][t][rh] = sub(y_re[0][rh], y_re[1][rh]);
      im[1][t][rh] = sub(y_im[0][rh], y_im[1][rh]);
    }
#pragma unroll
    for (int beta = 0; beta < 2; ++beta) {
      const uint4 w = middle[32 * (4 * beta + t)];
      twist<false>(re[beta][t][0], im[beta][t][0], w.x, w.y);
      twist<false>(re[beta][t][1], im[beta][t][1], w.z, w.w);
    }
    fence();
  }
  const RightMatrices& q = right_matrices.get();
#pragma unroll
  for (int beta = 0; beta < 2; ++beta) {
#pragma unroll
    for (int eps = 0; eps < 2; ++eps) {
      Word a_re[4];
      Word a_im[4];
      Word n_im[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int t = i >> 1;  // tile of d = 0; that of d = 1 is two on
        const int rh = i & 1;
        a_re[i] = eps == 0 ? add(re[beta][t][rh], re[beta][t + 2][rh])
                           : sub(re[beta][t][rh], re[beta][t + 2][rh]);
        a_im[i] = eps == 0 ? add(im[beta][t][rh], im[beta][t + 2][rh])
                           : sub(im[beta][t][rh], im[beta][t + 2][rh]);
        n_im[i] = negated(a_im[i]);
      }
#pragma unroll
      for (int nt = 0; nt < 2; ++nt) {
        Word z_re[2] = {};
        Word z_im[2] = {};
        multiply_add(z_re, a_re, q.re[eps][nt]);
        multiply_add(z_im, a_re, q.im[eps][nt]);
        multiply_add(z_re, n_im, q.im[eps][nt]);
        multiply_add(z_im, a_im, q.re[eps][nt]);
#pragma unroll
        for (int rh = 0; rh < 2; ++rh) {
          z.re[beta][eps][nt][rh] = z_re[rh];
          z.im[beta][eps][nt][rh] = z_im[rh];
        }
      }
      fence();
    }
  }
}

/// The conjugate mirror of forward_ring.
template <class Left, class Right>
__device__ inline void inverse_ring(const Left& left_matrices, const Right& right_matrices,
                                    const RingSpectrum& z, const uint4* middle, RingTime& x) {
  const LeftMatrices& p = left_matrices.get();
  Word re[2][2][2][2];  // [d][half][beta][rh]
  Word im[2][2][2][2];
#pragma unroll
  for (int beta = 0; beta < 2; ++beta) {
#pragma unroll
    for (int rh = 0; rh < 2; ++rh) {
      Word y_re[2][2] = {};
      Word y_im[2][2] = {};
#pragma unroll
      for (int eps = 0; eps < 2; ++eps) {
        const Word b_re[2] = {z.re[beta][eps][0][rh], z.re[beta][eps][1][rh]};
        const Word b_im[2] = {z.im[beta][eps][0][rh], z.im[beta][eps][1][rh]};
        const Word n_re[2] = {negated(b_re[0]), negated(b_re[1])};
        multiply_add(y_re[eps], p.re[eps], b_re);
        multiply_add(y_im[eps], p.re[eps], b_im);
        multiply_add(y_re[eps], p.im[eps], b_im);
        multiply_add(y_im[eps], p.im[eps], n_re);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        re[0][half][beta][rh] = add(y_re[0][half], y_re[1][half]);
        im[0][half][beta][rh] = add(y_im[0][half], y_im[1][half]);
        re[1][half][beta][rh] = sub(y_re[0][half], y_re[1][half]);
        im[1][half][beta][rh] = sub(y_im[0][half], y_im[1][half]);
      }
#pragma unroll
      for (int d = 0; d < 2; ++d) {
        const uint4 w = middle[32 * (4 * d + 2 * beta + rh)];
        twist<true>(re[d][0][beta][rh], im[d][0][beta][rh], w.x, w.y);
        twist<true>(re[d][1][beta][rh], im[d][1][beta][rh], w.z, w.w);
      }
      fence();
    }
  }
  const RightMatrices& right = right_matrices.get();
#pragma unroll
  for (int d = 0; d < 2; ++d) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      Word a_re[4];
      Word a_im[4];
      Word n_re[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int half = i & 1;
        const int rh = i >> 1;
        a_re[i] = c == 0 ? add(re[d][half][0][rh], re[d][half][1][rh])
                         : sub(re[d][half][0][rh], re[d][half][1][rh]);
        a_im[i] = c == 0 ? add(im[d][half][0][rh], im[d][half][1][rh])
                         : sub(im[d][half][0][rh], im[d][half][1][rh]);
        n_re[i] = negated(a_re[i]);
      }
#pragma unroll
      for (int kp = 0; kp < 2; ++kp) {
        Word x_re[2] = {};
        Word x_im[2] = {};
        multiply_add(x_re, a_re, right.re[c][kp]);
        multiply_add(x_im, a_im, right.re[c][kp]);
        multiply_add(x_re, a_im, right.im[c][kp]);
        multiply_add(x_im, n_re, right.im[c][kp]);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          x.re[c][kp][2 * d + half] = x_re[half];
          x.im[c][kp][2 * d + half] = x_im[half];
        }
      }
      fence();
    }
  }
}

}  // namespace longconv::kernels::cuda
