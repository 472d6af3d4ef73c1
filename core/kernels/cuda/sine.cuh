// Sine and cosine to float32's last bit or two in half the instructions of the library's, which are
// called for arguments that no trained filter has.
//
//   x = (k + c) pi + r, |r| <= pi / 2:   sin x = (-1)^k sin r  (c = 0),   cos x = -(-1)^k sin r  (c
//   = 1/2)
#pragma once

namespace longconv::kernels::cuda {
namespace sine_parts {

constexpr float kMost = 30000.0f;  // beyond it k would need more bits than pi's first part leaves
constexpr float kOverPi = 0.318309886f;
constexpr float kRounder =
    12582912.0f;  // 1.5 2^23: adding it rounds to an integer in the last bits

/// x - multiple pi, pi in three parts of which multiple times the first two is exact.
__device__ inline float remainder(float x, float multiple) {
  float r = fmaf(multiple, -3.140625f, x);
  r = fmaf(multiple, -9.67502593994140625e-4f, r);
  return fmaf(multiple, -1.509957990978376432e-7f, r);
}

/// sin r for |r| <= pi / 2, off by 2e-8 before roundings (through Chebyshev's nodes); with the
/// sign flipped if the last bit of `flips` is set.
__device__ inline float polynomial(float r, unsigned flips) {
  const float s = r * r;
  float p = fmaf(-2.407923638e-8f, s, 2.753642320e-6f);
  p = fmaf(p, s, -1.984108530e-4f);
  p = fmaf(p, s, 8.333332837e-3f);
  p = fmaf(p, s, -1.666666716e-1f);
  const float value = fmaf(p * s, r, r);
  return __uint_as_float(__float_as_uint(value) ^ flips << 31);
}

static __device__ __noinline__ float of_large(float x) { return sinf(x); }
static __device__ __noinline__ float cosine_of_large(float x) { return cosf(x); }

}  // namespace sine_parts

__device__ inline float sine(float x) {
  if (!(fabsf(x) <= sine_parts::kMost)) return sine_parts::of_large(x);
  const float rounded = fmaf(x, sine_parts::kOverPi, sine_parts::kRounder);
  return sine_parts::polynomial(sine_parts::remainder(x, rounded - sine_parts::kRounder),
                                __float_as_uint(rounded));
}

__device__ inline float cosine(float x) {
  if (!(fabsf(x) <= sine_parts::kMost)) return sine_parts::cosine_of_large(x);
  const float rounded = fmaf(x, sine_parts::kOverPi, -0.5f) + sine_parts::kRounder;
  return sine_parts::polynomial(sine_parts::remainder(x, rounded - sine_parts::kRounder + 0.5f),
                                __float_as_uint(rounded) + 1U);
}

}  // namespace longconv::kernels::cuda
