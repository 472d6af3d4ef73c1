// Pieces of the Toeplitz kernels: 16-bit rows scaled into shared memory.
//
// Operands are fp16 whatever the tensors are: bf16 has 8 bits of mantissa, fp16 11, and both run at
// the same rate. A power of two per row keeps every row inside fp16's range, so that values of 1e4
// and of 1e-6 keep their relative accuracy; sums are float.
#pragma once

#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/tensor_core.cuh"

namespace longconv::kernels::cuda {

/// Scaled rows have their largest element in [2^14, 2^15): a factor two below fp16's limit, and 28
/// binary orders above its smallest normal number.
inline constexpr int kTopExponent = 14;

/// Exponent of the largest element: floor(log2(amax)), at least -100 so that its inverse is a float
/// (zero rows too). Rows with an infinity are left unscaled, so that it comes through; nan does.
__device__ inline int row_exponent(float amax) {
  if (isinf(amax)) return kTopExponent;
  return max(static_cast<int>((__float_as_uint(amax) >> 23) & 0xFF) - 127, -100);
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
