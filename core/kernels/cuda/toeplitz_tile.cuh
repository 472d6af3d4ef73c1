// Pieces of the Toeplitz kernels: 16-bit rows scaled into shared memory, tensor-core fragments.
//
// Operands are fp16 whatever the tensors are: bf16 has 8 bits of mantissa, fp16 11, and both run at
// the same rate. A power of two per row keeps every row inside fp16's range, so that values of 1e4
// and of 1e-6 keep their relative accuracy; sums are float.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace longconv::kernels::cuda {

/// Scaled rows have their largest element in [2^14, 2^15): a factor two below fp16's limit, and 28
/// binary orders above its smallest normal number.
inline constexpr int kTopExponent = 14;

/// Whether rows of a multiple of 8 elements can be read 16 bytes at a time; nullptr can.
inline bool by_vectors(const void* pointer, std::int64_t stride) {
  return pointer == nullptr ||
         (reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 && stride % 8 == 0);
}

__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float to_float(__half x) { return __half2float(x); }

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

/// Two neighbours in one 32-bit word, the lower index in the lower half.
template <class T>
__device__ inline std::uint32_t pack(float low, float high) {
  const T pair[2] = {from_float<T>(low), from_float<T>(high)};
  return *reinterpret_cast<const std::uint32_t*>(pair);
}
template <class T>
__device__ inline float2 unpack(std::uint32_t word) {
  const T* pair = reinterpret_cast<const T*>(&word);
  return {to_float(pair[0]), to_float(pair[1])};
}

/// 2^e for e in the range of normal floats, clamped to it.
__device__ inline float power_of_two(int e) {
  e = min(max(e, -126), 127);
  return __int_as_float((e + 127) << 23);
}

/// Exponent of the largest element: floor(log2(amax)), at least -100 so that its inverse is a float
/// (zero rows too). Rows with an infinity are left unscaled, so that it comes through; nan does.
__device__ inline int row_exponent(float amax) {
  if (isinf(amax)) return kTopExponent;
  return max(static_cast<int>((__float_as_uint(amax) >> 23) & 0xFF) - 127, -100);
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

/// One row of a product of one or two tensors: a[t] * b[t], or a[t] where b is null.
template <class T>
struct ProductRow {
  const T* a;
  const T* b;
  __device__ float operator[](int t) const {
    const float x = to_float(a[t]);
    return b == nullptr ? x : x * to_float(b[t]);
  }
};

/// A warp's 256 kVectors elements of a row, 16-byte words as they came: vector i of a lane holds
/// elements 8 (lane + 32 i) and the seven after it. Loading comes first for several rows at once,
/// so that many loads are in flight.
template <class T, int kVectors>
struct RawRow {
  uint4 a[kVectors];
  uint4 b[kVectors];

  __device__ void load(const ProductRow<T>& row, int length, int lane) {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int t = 8 * (lane + 32 * i);
      a[i] = t < length ? *reinterpret_cast<const uint4*>(row.a + t) : make_uint4(0, 0, 0, 0);
      if (row.b != nullptr && t < length) b[i] = *reinterpret_cast<const uint4*>(row.b + t);
    }
  }
  /// The eight products of vector i.
  __device__ void products(int i, bool gated, float (&x)[8]) const {
    const std::uint32_t words[4] = {a[i].x, a[i].y, a[i].z, a[i].w};
    const std::uint32_t gates[4] = {b[i].x, b[i].y, b[i].z, b[i].w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float2 pair = unpack<T>(words[j]);
      if (gated) {
        const float2 gate = unpack<T>(gates[j]);
        pair.x *= gate.x;
        pair.y *= gate.y;
      }
      x[2 * j] = pair.x;
      x[2 * j + 1] = pair.y;
    }
  }
  /// Largest magnitude of the row, in every lane.
  __device__ float amax(const ProductRow<T>& row, int length, int lane) const {
    float largest = 0.0F;
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      if (8 * (lane + 32 * i) >= length) continue;
      float x[8];
      products(i, row.b != nullptr, x);
#pragma unroll
      for (int j = 0; j < 8; ++j) largest = fmaxf(largest, fabsf(x[j]));
    }
    return warp_max(largest);
  }
  /// row * scale as fp16 to `out`, zeros from `length` to `padded`.
  __device__ void store(const ProductRow<T>& row, float scale, int length, int padded, __half* out,
                        int lane) const {
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int t = 8 * (lane + 32 * i);
      if (t >= padded) continue;
      float x[8] = {};
      if (t < length) products(i, row.b != nullptr, x);
      uint4 words;
      words.x = pack<__half>(x[0] * scale, x[1] * scale);
      words.y = pack<__half>(x[2] * scale, x[3] * scale);
      words.z = pack<__half>(x[4] * scale, x[5] * scale);
      words.w = pack<__half>(x[6] * scale, x[7] * scale);
      *reinterpret_cast<uint4*>(out + t) = words;
    }
  }
};

/// The same for rows that are not 16-byte aligned: element by element, read anew by each call.
template <class T>
struct RawRow<T, 0> {
  __device__ void load(const ProductRow<T>&, int, int) {}
  __device__ float amax(const ProductRow<T>& row, int length, int lane) const {
    float largest = 0.0F;
    for (int t = lane; t < length; t += 32) largest = fmaxf(largest, fabsf(row[t]));
    return warp_max(largest);
  }
  __device__ void store(const ProductRow<T>& row, float scale, int length, int padded, __half* out,
                        int lane) const {
    for (int t = lane; t < padded; t += 32) {
      out[t] = __float2half_rn(t < length ? row[t] * scale : 0.0F);
    }
  }
};

/// Rows of up to 256 kVectors elements that a warp loads at once.
template <int kVectors>
inline constexpr int kRowsAtOnce = kVectors == 0 || kVectors >= 4 ? 1 : 4 / kVectors;

__device__ inline void zero_row(__half* out, int padded, int lane) {
  for (int t = lane; t < padded; t += 32) out[t] = __float2half_rn(0.0F);
}

__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// Four 8x8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void load_matrices(std::uint32_t (&r)[4], const __half* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ inline void load_matrices_transposed(std::uint32_t (&r)[4], const __half* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

/// c (16x8, float) += a (16x16) b (16x8), fp16.
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4],
                                    const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Transposes a 4x4 of words over the four lanes of a quad: afterwards w[j] of lane q is what w[q]
/// of lane j was. Its own inverse.
__device__ inline void transpose_quad(std::uint32_t (&w)[4], int lane) {
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = (lane & step) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((i & step) != 0) continue;
      const int j = i | step;
      const std::uint32_t sent = upper ? w[i] : w[j];
      const std::uint32_t came = __shfl_xor_sync(0xFFFFFFFFU, sent, step);
      if (upper) {
        w[i] = came;
      } else {
        w[j] = came;
      }
    }
  }
}

}  // namespace longconv::kernels::cuda
