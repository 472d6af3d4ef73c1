// The plan of the ring transform: how a causal convolution of M = 1024 R points becomes three
// stages of small matrix products, and where each value lies between them.
//
// Causal convolution is multiplication modulo x^M = i: the real part of u(x) k(x) mod (x^M - i) is
// the causal result, its imaginary part the tail. So one complex transform of M points serves,
//
//   U[q] = sum_n u[n] e^{2 pi i n (q + 1/4) / M},   q = 0..M-1,
//
// with nothing padded and no symmetry to unpack. Time and frequency are split as
//
//   n = 1024 n1 + 32 n21 + n22,      q = k1 + R (k2 + 32 k3),   n1, k1 < R;  the others < 32,
//
// and the phase n (q + 1/4) / M, modulo 1, falls apart into
//
//   n1 (k1 + 1/4) / R                      outer stage, contracts n1: one ring of 1024 points per
//   k1 (32 n21 + n22) (k1 + 1/4) / M          twiddle of that ring n21 k2 / 32 inner stage,
//   contracts n21 n22 k2 / 1024                          middle twiddle, the same for every ring
//   n22 k3 / 32                            inner stage, contracts n22
//
// The inverse is the conjugate mirror. Each 32-point stage is two 16-point products and a
// butterfly:
//
//   n21 = 2 alpha + c, k2 = b + 16 beta:   sum_c (-1)^(c beta) sum_alpha e^{2 pi i b (2 alpha + c)
//   / 32} x n22 = gamma + 16 d, k3 = 2 e + eps:    sum_gamma e^{2 pi i gamma (2 e + eps) / 32}
//   sum_d (-1)^(d eps) x
//
// Everything here is exact: a phase is a fraction of a turn with a power of two below.
// The kernels (core/kernels/cuda/ring_*.cuh) and the CPU test that executes the plan in float64
// read the same functions.
#pragma once

#ifdef __CUDACC__
#define LONGCONV_HOST_DEVICE __host__ __device__
#else
#define LONGCONV_HOST_DEVICE
#endif

namespace longconv::plan {

inline constexpr int kRing = 1024;    ///< points of a ring
inline constexpr int kSide = 32;      ///< a ring is kSide x kSide
inline constexpr int kMaxOuter = 32;  ///< largest R

/// A fraction of a turn: e^{2 pi i numerator / denominator}.
struct Phase {
  int numerator;
  int denominator;  ///< a power of two
};

/// R of the smallest plan that holds `length` points: 1, 2, 4, .. kMaxOuter; 0 if none does.
LONGCONV_HOST_DEVICE constexpr int outer_for(long long length) {
  for (int outer = 1; outer <= kMaxOuter; outer *= 2) {
    if (length <= static_cast<long long>(outer) * kRing) return outer;
  }
  return 0;
}

LONGCONV_HOST_DEVICE constexpr Phase reduced(int numerator, int denominator) {
  return {numerator & (denominator - 1), denominator};
}

/// n1 (k1 + 1/4) / R.
LONGCONV_HOST_DEVICE constexpr Phase outer_phase(int outer, int n1, int k1) {
  return reduced(n1 * (4 * k1 + 1), 4 * outer);
}
/// n2 (k1 + 1/4) / M, n2 = 32 n21 + n22.
LONGCONV_HOST_DEVICE constexpr Phase ring_twiddle(int outer, int k1, int n2) {
  return reduced(n2 * (4 * k1 + 1), 4 * kRing * outer);
}
/// n22 k2 / 1024.
LONGCONV_HOST_DEVICE constexpr Phase middle_twiddle(int n22, int k2) {
  return reduced(n22 * k2, kRing);
}
/// j (2 i + residue) / 32: both inner products, (j, i, residue) = (b, alpha, c) and (gamma, e,
/// eps).
LONGCONV_HOST_DEVICE constexpr Phase inner_phase(int j, int i, int residue) {
  return reduced(j * (2 * i + residue), kSide);
}

// Where a warp keeps to one ring, the ring's twiddle costs nothing: its n21 part joins the first
// inner matrix and its n22 part the middle twiddle.

/// n21 (b + (k1 + 1/4) / R) / 32, n21 = 2 alpha + c.
LONGCONV_HOST_DEVICE constexpr Phase ring_inner_phase(int outer, int k1, int b, int n21) {
  return reduced(n21 * (4 * outer * b + 4 * k1 + 1), 4 * outer * kSide);
}
/// n22 (k2 + (k1 + 1/4) / R) / 1024.
LONGCONV_HOST_DEVICE constexpr Phase ring_middle_twiddle(int outer, int k1, int n22, int k2) {
  return reduced(n22 * (4 * outer * k2 + 4 * k1 + 1), 4 * outer * kRing);
}

/// Where a ring's 1024 values lie between the stages: 16 rows of 8 chunks of 4 words, a word being
/// the pair (n21, n21 + 2) of one n22. Lane 4 g + q of a warp works on rows (c, kp, q), chunk g.
///   row = 8 c + 4 kp + q:  n21 = 16 kp + 4 q + c;     chunk j, word a:  n22 = 8 a + j
LONGCONV_HOST_DEVICE constexpr int row_n21(int row) {
  return 16 * ((row >> 2) & 1) + 4 * (row & 3) + (row >> 3);
}
inline constexpr int kPairStep = 2;  ///< n21 of a word's upper half less that of its lower half
LONGCONV_HOST_DEVICE constexpr int word_n22(int chunk, int word) { return 8 * word + chunk; }

/// Where lane 4 g + q holds a spectrum's value: vector v = 4 beta + 2 eps + nt (of 8), half `rh`
/// (of 2), and p (of 2), the upper or lower half of a word.
struct SpectrumPlace {
  int k2;
  int k3;
};
LONGCONV_HOST_DEVICE constexpr SpectrumPlace spectrum_place(int lane, int vector, int rh, int p) {
  const int g = lane >> 2;
  const int q = lane & 3;
  const int e = 8 * (vector & 1) + 2 * q + p;
  return {16 * (vector >> 2) + 8 * rh + g, 2 * e + ((vector >> 1) & 1)};
}
/// Where a ring of a filter's gradient keeps a value: vector by vector as above, [vector][rh][p]
/// and the lane.
LONGCONV_HOST_DEVICE constexpr int gradient_place(int k2, int k3) {
  const int e = k3 >> 1;
  const int vector = 4 * (k2 >> 4) + 2 * (k3 & 1) + (e >> 3);
  const int lane = 4 * (k2 & 7) + ((e & 7) >> 1);
  return ((2 * vector + ((k2 >> 3) & 1)) * 2 + (e & 1)) * 32 + lane;
}

}  // namespace longconv::plan
