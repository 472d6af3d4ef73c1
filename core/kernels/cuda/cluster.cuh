// Thread-block clusters of Hopper (PTX ISA 8: mapa, st.async, mbarrier): blocks that run
// side by side and write to each other's shared memory, and the barriers that say when it is there.
// With kBlocks = 1 everything stays in the block. Before sm_90 nothing of this can run; it compiles
// to nothing.
#pragma once

#include "core/kernels/cuda/tensor_core.cuh"

#include <cstdint>

namespace longconv::kernels::cuda {

/// This block's place in its cluster.
template <int kBlocks>
__device__ inline int cluster_rank() {
  if constexpr (kBlocks == 1) return 0;
  std::uint32_t rank = 0;
#if __CUDA_ARCH__ >= 900
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return static_cast<int>(rank);
}

/// A group's threads meet. `id` is 1.. (0 is __syncthreads).
template <int kWarps>
__device__ inline void group_barrier(int id) {
  if constexpr (kWarps == 1) {
    __syncwarp();
  } else {
    asm volatile("bar.sync %0, %1;" : : "r"(id), "n"(32 * kWarps) : "memory");
  }
}

/// Every thread of the cluster meets: shared memory written before is visible after.
template <int kBlocks>
__device__ inline void cluster_sync() {
  if constexpr (kBlocks == 1) {
    __syncthreads();
  } else {
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
#endif
  }
}

/// Where `address` of this block's shared memory lies in that of block `rank`.
template <int kBlocks>
__device__ inline std::uint32_t peer_address(std::uint32_t address, int rank) {
  if constexpr (kBlocks == 1) return address;
  std::uint32_t peer = address;
#if __CUDA_ARCH__ >= 900
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer) : "r"(address), "r"(rank));
#endif
  return peer;
}

/// A value in a peer's shared memory; addresses are peer_address()es. cluster_sync() orders them.
__device__ inline void store_peer(std::uint32_t to, float2 x) {
#if __CUDA_ARCH__ >= 900
  asm volatile("st.shared::cluster.v2.f32 [%0], {%1,%2};"
               :
               : "r"(to), "f"(x.x), "f"(x.y)
               : "memory");
#endif
}
__device__ inline float2 load_peer(std::uint32_t at) {
  float2 x = {};
#if __CUDA_ARCH__ >= 900
  asm volatile("ld.shared::cluster.v2.f32 {%0,%1}, [%2];"
               : "=f"(x.x), "=f"(x.y)
               : "r"(at)
               : "memory");
#endif
  return x;
}

/// An mbarrier that takes a number of arrivals, and the bytes announced to it, again and again.
/// Turn n (from 0) is over when the n-th set is in; what came with it is visible to who waited.
struct SharedBarrier {
  std::uint32_t address = 0;

  /// By one thread of the block; cluster_sync() must follow.
  __device__ void init(int arrivals) const {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;"
                 :
                 : "r"(address), "r"(arrivals)
                 : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
  }
  /// By a whole warp, one arrival at every block of the cluster: what its lanes did to their own
  /// block's shared memory comes before.
  template <int kBlocks>
  __device__ void arrive(int lane) const {
    __syncwarp();
#if __CUDA_ARCH__ >= 900
    if constexpr (kBlocks == 1) {
      if (lane == 0) {
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" : : "r"(address) : "memory");
      }
    } else if (lane < kBlocks) {
      asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];"
                   :
                   : "r"(peer_address<kBlocks>(address, lane))
                   : "memory");
    }
#endif
  }
  /// By one thread, in its own block.
  __device__ void arrive_alone() const {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" : : "r"(address) : "memory");
#endif
  }
  /// By one thread: an arrival, and `bytes` that others will send before the turn is over.
  __device__ void expect(int bytes) const {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                 :
                 : "r"(address), "r"(bytes)
                 : "memory");
#endif
  }
  /// By a whole warp: until turn `turn` is over; turn -1 always is.
  __device__ void wait(int turn) const {
#if __CUDA_ARCH__ >= 900
    std::uint32_t done = 0;
    while (done == 0) {
      asm volatile(
          "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(done)
          : "r"(address), "r"(turn & 1)
          : "memory");
    }
    __syncwarp();
#endif
  }
};

/// 16 bytes of this block's shared memory.
__device__ inline uint4 load_vector(std::uint32_t at) {
  uint4 x;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(at)
               : "memory");
  return x;
}
__device__ inline void store_vector(std::uint32_t at, const uint4& x) {
  asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};"
               :
               : "r"(at), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w)
               : "memory");
}

/// Stores to a peer's shared memory whose bytes its barrier counts; both addresses are
/// peer_address()es of one block.
__device__ inline void send(std::uint32_t to, const uint4& x, std::uint32_t barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1,%2,%3,%4}, [%5];"
      :
      : "r"(to), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w), "r"(barrier)
      : "memory");
#endif
}
__device__ inline void send(std::uint32_t to, float2 x, std::uint32_t barrier) {
#if __CUDA_ARCH__ >= 900
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1,%2}, [%3];"
               :
               : "r"(to), "r"(__float_as_uint(x.x)), "r"(__float_as_uint(x.y)), "r"(barrier)
               : "memory");
#endif
}
/// The calling warpgroup's registers a thread, from here on: an instruction of sm_90a, left out
/// where the target does not know it.
template <int kRegisters>
__device__ inline void take_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(kRegisters));
#endif
}
template <int kRegisters>
__device__ inline void leave_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(kRegisters));
#endif
}

}  // namespace longconv::kernels::cuda
