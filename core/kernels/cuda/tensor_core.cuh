// The tensor-core instructions the kernels use, one function each: products of small fp16 matrices,
// and the loads and stores that deal 8x8 matrices out to a warp.
//
// Places in a warp (lane = 4 g + q), in words of two neighbouring values:
//   left 16x16    [0] row g, columns 2q, 2q+1   [1] row g+8   [2] row g, columns +8   [3] both
//   right 16x8    [0] rows 2q, 2q+1, column g   [1] rows +8
//   product 16x8  [0] row g, columns 2q, 2q+1   [1] row g+8        (floats: two where a word is
//   one)
#pragma once

#include <cstdint>

namespace longconv::kernels::cuda {

__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// c (float) += a (16x16) b (16x8).
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4],
                                    const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// c (fp16) += a (16x16) b (16x8).
__device__ inline void multiply_add(std::uint32_t (&c)[2], const std::uint32_t (&a)[4],
                                    const std::uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
      : "+r"(c[0]), "+r"(c[1])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// c (fp16) += a (16x8: words [0] and [1] of a left operand) b (8x8).
__device__ inline void multiply_add(std::uint32_t (&c)[2], const std::uint32_t (&a)[2],
                                    std::uint32_t b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3}, {%4}, {%0,%1};"
      : "+r"(c[0]), "+r"(c[1])
      : "r"(a[0]), "r"(a[1]), "r"(b));
}

/// Four 8x8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void load_matrices(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// The way back of load_matrices.
__device__ inline void store_matrices(std::uint32_t address, std::uint32_t r0, std::uint32_t r1,
                                      std::uint32_t r2, std::uint32_t r3) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};"
               :
               : "r"(address), "r"(r0), "r"(r1), "r"(r2), "r"(r3)
               : "memory");
#else
  // Before sm_90: lane 4 g + q stores its word of row g, whose address lane 8 i + g holds.
  const std::uint32_t r[4] = {r0, r1, r2, r3};
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t row = __shfl_sync(0xFFFFFFFFU, address, 8 * i + lane / 4);
    asm volatile("st.shared.b32 [%0], %1;" : : "r"(row + 4 * (lane % 4)), "r"(r[i]) : "memory");
  }
#endif
}

}  // namespace longconv::kernels::cuda
