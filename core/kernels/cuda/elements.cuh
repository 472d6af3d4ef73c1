// 16-bit elements in registers: conversions, pairs in a word, powers of two, sums over a warp.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace longconv::kernels::cuda {

/// Whether rows of a multiple of 8 elements can be read 16 bytes at a time; nullptr can.
inline bool by_vectors(const void* pointer, std::int64_t stride) {
  return pointer == nullptr ||
         (reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 && stride % 8 == 0);
}

__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(float x) { return x; }

template <class T>
__device__ T from_float(float x);
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__device__ inline __half from_float<__half>(float x) {
  return __float2half_rn(x);
}

template <>
__device__ inline float from_float<float>(float x) {
  return x;
}

/// Two neighbours in one 32-bit word, the lower index in the lower half.
template <class T>
__device__ inline std::uint32_t pack(float low, float high) {
  const T pair[2] = {from_float<T>(low), from_float<T>(high)};
  return *reinterpret_cast<const std::uint32_t*>(pair);
}
template <class T>
__device__ float2 unpack(std::uint32_t word);
template <>
__device__ inline float2 unpack<__nv_bfloat16>(std::uint32_t word) {
  // A bf16 is the upper half of its float.
  return {__uint_as_float(word << 16), __uint_as_float(word & 0xFFFF0000U)};
}
template <>
__device__ inline float2 unpack<__half>(std::uint32_t word) {
  return __half22float2(*reinterpret_cast<const __half2*>(&word));
}

/// 2^e for e in the range of normal floats, clamped to it.
__device__ inline float power_of_two(int e) {
  e = min(max(e, -126), 127);
  return __int_as_float((e + 127) << 23);
}

__device__ inline float warp_max(float x) {
  for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFU, x, step));
  return x;
}

/// The same sum in every lane, in a fixed order.
__device__ inline float warp_sum(float x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xFFFFFFFFU, x, step);
  return x;
}

}  // namespace longconv::kernels::cuda
