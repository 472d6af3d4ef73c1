// Rows of a tensor, 16 bytes of a lane at a time: loads, stores, and copies to shared memory.
#pragma once

#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/ring_tile.cuh"

#include <cstdint>

namespace longconv::kernels::cuda {

/// How rows lie in memory.
enum class Access {
  whole,    ///< length = M, 16-byte aligned: nothing to check
  vectors,  ///< 16-byte aligned, a multiple of 8 elements
  scalar,   ///< anything
};

/// 16 bytes if `there`, else `other`: by a predicate, as branches would part one load from the
/// next.
__device__ inline uint4 load_if(bool there, const void* from, const uint4& other) {
  uint4 x = other;
  asm("{\n\t.reg .pred there;\n\tsetp.ne.b32 there, %5, 0;\n\t"
      "@there ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];\n\t}"
      : "+r"(x.x), "+r"(x.y), "+r"(x.z), "+r"(x.w)
      : "l"(from), "r"(static_cast<int>(there)));
  return x;
}
/// Eight elements of one tensor's row from `t` on; zeros beyond the row's end.
template <class T, Access kAccess>
__device__ inline uint4 load_eight(const T* row, int t, int length) {
  if constexpr (kAccess == Access::whole) {
    return __ldg(reinterpret_cast<const uint4*>(row + t));
  } else if constexpr (kAccess == Access::vectors) {
    return load_if(t < length, row + t, make_uint4(0, 0, 0, 0));
  } else {
    T element[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) element[i] = t + i < length ? row[t + i] : from_float<T>(0.0F);
    return *reinterpret_cast<const uint4*>(element);
  }
}
template <class T, Access kAccess>
__device__ inline void store_eight(T* row, int t, int length, const float (&value)[8]) {
  if constexpr (kAccess != Access::scalar) {
    const uint4 x = make_uint4(pack<T>(value[0], value[1]), pack<T>(value[2], value[3]),
                               pack<T>(value[4], value[5]), pack<T>(value[6], value[7]));
    if (kAccess == Access::whole || t < length) *reinterpret_cast<uint4*>(row + t) = x;
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (t + i < length) row[t + i] = from_float<T>(value[i]);
    }
  }
}

__device__ inline __nv_bfloat162 as_bfloat162(Word w) {
  return *reinterpret_cast<const __nv_bfloat162*>(&w);
}
/// Eight ones.
template <class T>
__device__ inline uint4 ones() {
  const Word word = pack<T>(1.0F, 1.0F);
  return make_uint4(word, word, word, word);
}
/// Eight elements of a row of factors; `row` may be nullptr for ones.
template <class T, Access kAccess>
__device__ inline uint4 load_factor(const T* row, int t, int length) {
  if constexpr (kAccess == Access::scalar) {
    return row == nullptr ? ones<T>() : load_eight<T, kAccess>(row, t, length);
  } else {  // what is beyond the end meets a zero
    const bool inside = kAccess == Access::whole || t < length;
    return load_if(row != nullptr && inside, row + t, ones<T>());
  }
}

/// 16 bytes to shared memory, later: zeros if not `there`.
__device__ inline void copy_later(std::uint32_t to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(to), "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
__device__ inline void copies_commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }
template <int kPending>
__device__ inline void copies_wait() {
  if constexpr (kPending == 0) {
    asm volatile("cp.async.wait_all;" : : : "memory");
  } else {
    asm volatile("cp.async.wait_group %0;" : : "n"(kPending) : "memory");
  }
}

}  // namespace longconv::kernels::cuda
