// Rows of the long convolution in passes: which are under way, their scales, their values.
#pragma once

#include "core/kernels/cuda/long_conv_calls.cuh"
#include "core/kernels/cuda/row_exponent.cuh"

#include <cuda_runtime.h>

#include <cstdint>

namespace longconv::kernels::cuda::passes {

/// Rows of a call that are under way at once: some channels by some of the batch.
struct RowGroup {
  std::int64_t h0;
  std::int64_t b0;
  int channels;
  int batch;

  [[nodiscard]] __host__ __device__ int rows() const { return channels * batch; }
  [[nodiscard]] __device__ std::int64_t h(int row) const { return h0 + row / batch; }
  [[nodiscard]] __device__ std::int64_t b(int row) const { return b0 + row % batch; }
};

/// What a pass can do before those launched earlier have ended comes before this; nothing else.
__device__ inline void after_last_pass() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" : : : "memory");
  asm volatile("griddepcontrol.wait;" : : : "memory");
#endif
}

/// Rows of up to two signals of a group, one after the other: forward there is one, backward dw's
/// come before v's. A call takes `count` of them from signal `first` on; a row of the scratch, and
/// a scale, has its place whether the other signal is wanted or not.
struct Sides {
  int first;
  int count;
};

/// Largest magnitudes of a row's parts, and from them its scale.
inline constexpr int kParts = 32;
struct RowScales {
  float* largest;  // [sides][rows][kParts]

  /// All lanes of a warp call it.
  __device__ int exponent(int row) const {
    return row_exponent<0>(warp_max(largest[row * kParts + static_cast<int>(threadIdx.x) % 32]));
  }
};

/// x[i] = from[step i], or `other` from `left` on.
template <class T, int kCount>
__device__ __forceinline__ void load_steps(const T* from, int step, int left, float other,
                                           float (&x)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) x[i] = step * i < left ? to_float(from[step * i]) : other;
}

/// What the rings' pass multiplies a transformed row by: nothing, the filter's spectrum, or its
/// conjugate.
enum class Filter { none, plain, conjugate };

/// v = a * b of a group's rows, of each side.
template <class T>
struct SignalRows {
  Signal<T> in[2];
  RowGroup group;
  RowScales scales;
  int length;

  using Value = float;
  struct Row {
    const T* a;
    const T* b;
    int length;
    float scale;
    /// Of steps first + step i, all loads before anything waits for one.
    template <int kCount>
    __device__ void load(int first, int step, float (&x)[kCount]) const {
      const int left = length - first;
      load_steps(a + first, step, left, 0.0F, x);
      if (b != nullptr) {
        float gate[kCount];
        load_steps(b + first, step, left, 0.0F, gate);
#pragma unroll
        for (int i = 0; i < kCount; ++i) x[i] *= gate[i];
      }
#pragma unroll
      for (int i = 0; i < kCount; ++i) x[i] *= scale;
    }
  };
  /// Unscaled.
  __device__ Row plain(int r) const {
    const int row = r % group.rows();
    // By value: a reference to one of two parameters would bring both to local memory.
    const Signal<T> side = r < group.rows() ? in[0] : in[1];
    const std::int64_t channel = group.h(row) * length;
    const std::int64_t b = group.b(row);
    return {side.a + b * side.a_stride + channel,
            side.b == nullptr ? nullptr : side.b + b * side.b_stride + channel, length, 1.0F};
  }
  __device__ Row row(int r) const {
    Row result = plain(r);
    result.scale = power_of_two(-scales.exponent(r));
    return result;
  }
};

template <class T>
__global__ void __launch_bounds__(256) largest_kernel(const SignalRows<T> rows, int first_row) {
  __shared__ float shared[8];
  const int r = first_row + static_cast<int>(blockIdx.x) / kParts;
  const int part = static_cast<int>(blockIdx.x) % kParts;
  after_last_pass();
  const auto value = rows.plain(r);
  float largest = 0.0F;
  constexpr int kAtOnce = 8;
  constexpr int kStep = 256 * kParts;
  for (int n = 256 * part + static_cast<int>(threadIdx.x); n < rows.length; n += kAtOnce * kStep) {
    float x[kAtOnce];
    value.load(n, kStep, x);
#pragma unroll
    for (const float y : x) largest = fmaxf(largest, fabsf(y));
  }
  largest = warp_max(largest);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = largest;
  __syncthreads();
  for (const float x : shared) largest = fmaxf(largest, x);
  if (threadIdx.x == 0) rows.scales.largest[r * kParts + part] = largest;
}

/// Backward, all rings of a group: v's and dw's forward; their share of the filter's gradient; and
/// what is wanted of both by the filter and its conjugate, back in time. S is float2, or uint4 for
/// 16-bit rows.
template <class S>
struct CorrelateArgs {
  S* data;            // [sides][rows][k1][n2]: dw's, then v's
  const S* spectrum;  // [H][k1]
  float2* gradient;   // [channels][splits][k1][k3][k2]
  RowScales scales;
  RowGroup group;
  int outer;
  int splits;    // of the group's batch
  bool first;    // else the gradient has sums already
  float factor;  // of every product

  [[nodiscard]] std::int64_t tasks() const { return std::int64_t{group.channels} * splits * outer; }
};

}  // namespace longconv::kernels::cuda::passes
