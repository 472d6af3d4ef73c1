// The passes of 16-bit rows on tensor cores (ring_passes.cuh has those of float32): what the pass
// in (tensor_in.cuh), the rings (tensor_rings.cuh) and the pass out (tensor_out.cuh) have in
// common. What goes between the passes is fp16 and keeps the row's energy.
//
// A ring of the scratch is [row of plan::row_n21][n22][re, im], words of the pair (n21, n21 + 2):
// what a lane of the ring kernel works on lies in 16-byte pieces, and what a lane of the outer
// stage makes fills them. A block takes both rows of a pair, all columns n22 or half of them,
// through both halves of the outer stage, R = P Q, n1 = Q a + b, k1 = c + P d: a product of
// matrices contracts a (or c), a thread's registers contract b (or d).
#pragma once

#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/register_transform.cuh"
#include "core/kernels/cuda/ring_tile.cuh"
#include "core/plan/long_plan.h"

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace longconv::kernels::cuda::passes {

inline constexpr int kRingVectors = plan::kRing / 4;  ///< 16-byte vectors of a ring of the scratch
inline constexpr int kPairs = 16;                     ///< pairs of rows (n21, n21 + 2)

/// Vector of columns n22, n22 + 1 (n22 even) of row r in a ring of the scratch: turned by the row,
/// so that eight lanes of the ring kernel, on four rows, hit every bank once.
__device__ inline int ring_vector(int r, int n22) { return 16 * r + ((n22 / 2) ^ (2 * (r % 4))); }

/// A way to take R apart.
template <int P_, int Q_>
struct OuterSplit {
  static constexpr int P = P_;
  static constexpr int Q = Q_;
  static constexpr int kOuter = P * Q;
  static constexpr int kTableBytes = 8 * (4 * P + kOuter);
};

/// A complex value of each row of a pair, in float: of fp16 rows, and of filters.
struct FloatPair {
  using Sum = float[4];  // of a product of matrices: re, re, im, im
  using Twiddle = float2;
  float2 p[2];

  FloatPair() = default;
  __device__ explicit FloatPair(const Sum& sum) : p{{sum[0], sum[2]}, {sum[1], sum[3]}} {}
  __device__ FloatPair(Word re, Word im) {
    const float2 x = __half22float2(as_half2(re));
    const float2 y = __half22float2(as_half2(im));
    p[0] = {x.x, y.x};
    p[1] = {x.y, y.y};
  }
  __device__ static Twiddle twiddle(float2 w) { return w; }
  template <bool kConjugate>
  __device__ void turn(const Twiddle& w) {
    p[0] = turned<kConjugate>(p[0], w);
    p[1] = turned<kConjugate>(p[1], w);
  }
  /// Both rows' real parts, and imaginary ones.
  [[nodiscard]] __device__ Word re() const { return two_halves(p[0].x, p[1].x); }
  [[nodiscard]] __device__ Word im() const { return two_halves(p[0].y, p[1].y); }
  /// A row's value.
  [[nodiscard]] __device__ Word row(int i) const { return two_halves(p[i].x, p[i].y); }
};
template <int kNumerator, int kDenominator, bool kConjugate>
__device__ __forceinline__ void butterfly(const FloatPair& a, const FloatPair& b, FloatPair& sum,
                                          FloatPair& difference) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    cuda::butterfly<kNumerator, kDenominator, kConjugate>(a.p[i], b.p[i], sum.p[i],
                                                          difference.p[i]);
  }
}

/// The same in fp16, a rounding a step and half the instructions: of bf16 rows, whose own rounding
/// is eight times as large.
struct HalfPair {
  using Sum = Word[2];
  using Twiddle = uint2;  // re, re; im, im
  Word x;
  Word y;

  HalfPair() = default;
  __device__ explicit HalfPair(const Sum& sum) : x(sum[0]), y(sum[1]) {}
  __device__ HalfPair(Word re, Word im) : x(re), y(im) {}
  __device__ static Twiddle twiddle(float2 w) {
    return make_uint2(two_halves(w.x, w.x), two_halves(w.y, w.y));
  }
  template <bool kConjugate>
  __device__ void turn(const Twiddle& w) {
    twist<kConjugate>(x, y, w.x, w.y);
  }
  [[nodiscard]] __device__ Word re() const { return x; }
  [[nodiscard]] __device__ Word im() const { return y; }
  [[nodiscard]] __device__ Word row(int i) const {
    return __byte_perm(x, y, i == 0 ? 0x5410 : 0x7632);
  }
};
template <int kNumerator, int kDenominator, bool kConjugate>
__device__ __forceinline__ void butterfly(const HalfPair& a, const HalfPair& b, HalfPair& sum,
                                          HalfPair& difference) {
  if constexpr (kNumerator == 0) {
    sum = {add(a.x, b.x), add(a.y, b.y)};
    difference = {sub(a.x, b.x), sub(a.y, b.y)};
  } else if constexpr (4 * kNumerator == kDenominator) {  // w = +-i
    const HalfPair plus = {sub(a.x, b.y), add(a.y, b.x)};
    const HalfPair minus = {add(a.x, b.y), sub(a.y, b.x)};
    sum = kConjugate ? minus : plus;
    difference = kConjugate ? plus : minus;
  } else {
    using W = ButterflyRoot<kNumerator, kDenominator, kConjugate>;
    const auto fma = [](float by, Word z, Word to) {
      return as_word(__hfma2(__float2half2_rn(by), as_half2(z), as_half2(to)));
    };
    const Word re = W::kByCosine ? fma(-W::kRatio, b.y, b.x) : fma(W::kRatio, b.x, negated(b.y));
    const Word im = W::kByCosine ? fma(W::kRatio, b.x, b.y) : fma(W::kRatio, b.y, b.x);
    sum = {fma(W::kFactor, re, a.x), fma(W::kFactor, im, a.y)};
    difference = {fma(-W::kFactor, re, a.x), fma(-W::kFactor, im, a.y)};
  }
}

template <class T>
using PairOf = std::conditional_t<std::is_same_v<T, __nv_bfloat16>, HalfPair, FloatPair>;

/// The outer stage's constants in shared memory.
template <class Split, class Pair>
struct OuterTables {
  const float2* first;                    // e^{2 pi i j / 4P} / sqrt(R)
  const typename Pair::Twiddle* twiddle;  // [b][c]: e^{2 pi i b (c + 1/4) / R}

  /// By all threads, which meet afterwards.
  __device__ explicit OuterTables(float2* memory)
      : first(memory),
        twiddle(reinterpret_cast<const typename Pair::Twiddle*>(memory + 4 * Split::P)) {
    constexpr int kFirst = 4 * Split::P;
    for (int i = static_cast<int>(threadIdx.x); i < kFirst; i += static_cast<int>(blockDim.x)) {
      memory[i] = root({i, kFirst}, rsqrtf(static_cast<float>(Split::kOuter)));
    }
    auto* const table = reinterpret_cast<typename Pair::Twiddle*>(memory + kFirst);
    for (int i = static_cast<int>(threadIdx.x); i < Split::kOuter;
         i += static_cast<int>(blockDim.x)) {
      table[i] = Pair::twiddle(root(plan::long_twiddle(Split::kOuter, i / Split::P, i % Split::P)));
    }
  }
  /// e^{2 pi i a (c + 1/4) / P} / sqrt(R).
  [[nodiscard]] __device__ float2 entry(int a, int c) const {
    return first[plan::long_first_phase(Split::P, a, c).numerator];
  }
};

/// kTiles x (re, im) words: a lane's share of a ring's row.
template <int kTiles>
__device__ inline void load_words(const Word* from, Word (&word)[2 * kTiles]) {
  if constexpr (kTiles == 2) {
    const uint4 x = *reinterpret_cast<const uint4*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) word[i] = word_of(x, i);
  } else {
    const uint2 x = *reinterpret_cast<const uint2*>(from);
    word[0] = x.x;
    word[1] = x.y;
  }
}
template <int kTiles>
__device__ inline void store_words(const Word (&word)[2 * kTiles], Word* to) {
  if constexpr (kTiles == 2) {
    *reinterpret_cast<uint4*>(to) = make_uint4(word[0], word[1], word[2], word[3]);
  } else {
    *reinterpret_cast<uint2*>(to) = make_uint2(word[0], word[1]);
  }
}

}  // namespace longconv::kernels::cuda::passes
