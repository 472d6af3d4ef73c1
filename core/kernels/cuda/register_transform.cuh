// Fourier transforms of up to 32 complex points in one thread's registers, in float32, and the
// transposition that makes one of 1,024 points out of two of them in a warp.
//
// Decimation in time, radix 2. A butterfly a +- w b costs six multiply-adds with
// w = cos (1 + i tan) or sin (cot + i), whichever factor is at most 1; w = 1 and w = i cost four
// additions. All roots are constants of the program: nothing here reads a table.
#pragma once

#include "core/plan/ring_plan.h"

#include <utility>

namespace longconv::kernels::cuda {

__device__ inline float2 product(float2 a, float2 b) {
  return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};
}
/// a * b or a * conj(b).
template <bool kConjugate>
__device__ inline float2 turned(float2 a, float2 b) {
  return product(a, make_float2(b.x, kConjugate ? -b.y : b.y));
}

/// cos(2 pi numerator / denominator), |numerator| <= denominator, by its series.
LONGCONV_HOST_DEVICE constexpr double cosine_of_turn(int numerator, int denominator) {
  double x = static_cast<double>(numerator) / denominator;
  if (x > 0.5) x -= 1.0;
  x *= 6.283185307179586476925;
  double sum = 0.0;
  double term = 1.0;
  for (int i = 1; i < 40; i += 2) {
    sum += term;
    term *= -x * x / (i * (i + 1));
  }
  return sum;
}
LONGCONV_HOST_DEVICE constexpr double sine_of_turn(int numerator, int denominator) {
  double x = static_cast<double>(numerator) / denominator;
  if (x > 0.5) x -= 1.0;
  x *= 6.283185307179586476925;
  double sum = 0.0;
  double term = x;
  for (int i = 2; i < 40; i += 2) {
    sum += term;
    term *= -x * x / (i * (i + 1));
  }
  return sum;
}

/// use(std::integral_constant<int, i>) for i = 0 .. kCount - 1.
template <class Use, int... kIndex>
__device__ __forceinline__ void use_indices(const Use& use, std::integer_sequence<int, kIndex...>) {
  (use(std::integral_constant<int, kIndex>{}), ...);
}
template <int kCount, class Use>
__device__ __forceinline__ void for_each_index(const Use& use) {
  use_indices(use, std::make_integer_sequence<int, kCount>{});
}

/// A root w of a butterfly as kFactor (1 + i kRatio), or as kFactor (kRatio + i).
template <int kNumerator, int kDenominator, bool kConjugate>
struct ButterflyRoot {
  static constexpr double kCosine = cosine_of_turn(kNumerator, kDenominator);
  static constexpr double kSine =
      (kConjugate ? -1.0 : 1.0) * sine_of_turn(kNumerator, kDenominator);
  // 8 kNumerator within kDenominator of 0 or of half a turn: |cos| >= |sin|.
  static constexpr bool kByCosine =
      8 * kNumerator <= kDenominator || 8 * kNumerator >= 3 * kDenominator;
  static constexpr float kFactor = static_cast<float>(kByCosine ? kCosine : kSine);
  static constexpr float kRatio = static_cast<float>(kByCosine ? kSine / kCosine : kCosine / kSine);
};

/// sum = a + w b, difference = a - w b, w = e^{+-2 pi i kNumerator / kDenominator} in the first
/// half turn.
template <int kNumerator, int kDenominator, bool kConjugate>
__device__ __forceinline__ void butterfly(float2 a, float2 b, float2& sum, float2& difference) {
  static_assert(kNumerator >= 0 && 2 * kNumerator < kDenominator);
  if constexpr (kNumerator == 0 || 4 * kNumerator == kDenominator) {
    float2 c = b;
    if constexpr (kNumerator != 0) c = kConjugate ? float2{b.y, -b.x} : float2{-b.y, b.x};
    sum = {a.x + c.x, a.y + c.y};
    difference = {a.x - c.x, a.y - c.y};
  } else {
    using W = ButterflyRoot<kNumerator, kDenominator, kConjugate>;
    const float2 c = W::kByCosine ? float2{fmaf(-W::kRatio, b.y, b.x), fmaf(W::kRatio, b.x, b.y)}
                                  : float2{fmaf(W::kRatio, b.x, -b.y), fmaf(W::kRatio, b.y, b.x)};
    sum = {fmaf(W::kFactor, c.x, a.x), fmaf(W::kFactor, c.y, a.y)};
    difference = {fmaf(-W::kFactor, c.x, a.x), fmaf(-W::kFactor, c.y, a.y)};
  }
}

/// x[k] becomes sum_j x[j] e^{+-2 pi i jk / kPoints}. A Value is anything that has a butterfly.
template <bool kConjugate, class Value, int kPoints>
__device__ __forceinline__ void transform(Value (&x)[kPoints]) {
  if constexpr (kPoints > 1) {
    Value even[kPoints / 2];
    Value odd[kPoints / 2];
#pragma unroll
    for (int j = 0; j < kPoints / 2; ++j) {
      even[j] = x[2 * j];
      odd[j] = x[2 * j + 1];
    }
    transform<kConjugate>(even);
    transform<kConjugate>(odd);
    for_each_index<kPoints / 2>([&](auto index) {
      constexpr int k = decltype(index)::value;
      butterfly<k, kPoints, kConjugate>(even[k], odd[k], x[k], x[k + kPoints / 2]);
    });
  }
}

/// A warp's 32x32 complex values in shared memory: rows padded by one, so that neither rows nor
/// columns meet in a bank.
inline constexpr int kTilePitch = plan::kSide + 1;
inline constexpr int kTile = plan::kSide * kTilePitch;

/// x[i] of lane j becomes x[j] of lane i.
__device__ __forceinline__ void transpose(float2 (&x)[plan::kSide], float2* tile, int lane) {
  __syncwarp();
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) tile[i * kTilePitch + lane] = x[i];
  __syncwarp();
#pragma unroll
  for (int i = 0; i < plan::kSide; ++i) x[i] = tile[lane * kTilePitch + i];
}

}  // namespace longconv::kernels::cuda
