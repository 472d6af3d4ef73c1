// A row on its way out: results of the inverse outer stage (ring_outer.cuh), with skip and gates,
// to memory.
#pragma once

#include "core/kernels/cuda/ring_outer.cuh"
#include "core/kernels/cuda/row_access.cuh"

namespace longconv::kernels::cuda {

template <class T>
__device__ inline float skip_of(const ApplyArgs<T>& call, int h) {
  return call.skip == nullptr ? 0.0F : call.skip[h];
}
/// One row of a call: out_i = factor_i * (inverse + skip a b); pointers to the row, or nullptr.
template <class T>
struct RowOutputs {
  const T* a;
  const T* b;
  const T* factor[2];
  T* out[2];
  bool skips;
  float skip;
  float unscale;  ///< what the rings are to be multiplied by

  /// `skip_of_row` is skip_of(call, h): loaded once a channel.
  __device__ RowOutputs(const ApplyArgs<T>& call, int h, int b_row, float skip_of_row, float scale)
      : skips(call.skip != nullptr), skip(skip_of_row), unscale(scale) {
    const std::int64_t channel = static_cast<std::int64_t>(h) * call.length;
    a = call.in.a + b_row * call.in.a_stride + channel;
    b = call.in.b == nullptr ? nullptr : call.in.b + b_row * call.in.b_stride + channel;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      factor[i] = call.factor[i] == nullptr
                      ? nullptr
                      : call.factor[i] + b_row * call.factor_stride[i] + channel;
      out[i] = call.out[i] == nullptr ? nullptr : call.out[i] + b_row * call.out_stride + channel;
    }
  }
};

/// value *= eight elements.
template <class T>
__device__ inline void multiply_eight(float (&value)[8], const uint4& x) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float2 p = unpack<T>(word_of(x, j));
    value[2 * j] *= p.x;
    value[2 * j + 1] *= p.y;
  }
}

/// What a call's outputs need of kCount of a task's vectors, from vector `first` on: loaded
/// together, so that one latency is waited for and not one a vector.
template <class T, int R, Access kAccess, int kCount>
struct OutputInputs {
  uint4 a[kCount];
  uint4 b[kCount];
  uint4 factor[2][kCount];

  __device__ void load(const RowOutputs<T>& row, const TaskPlace<R>& place, int first, int length) {
    const auto all = [&](uint4(&to)[kCount], const T* from) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        to[i] = load_eight<T, kAccess>(from, place.element(first + i), length);
      }
    };
    if (row.skips) {
      all(a, row.a);
      if (row.b != nullptr) all(b, row.b);
    }
    if (row.factor[0] != nullptr) all(factor[0], row.factor[0]);
    if (row.factor[1] != nullptr) all(factor[1], row.factor[1]);
  }
  /// Vector i of those loaded, from the unscaled values of its task.
  __device__ void write(int i, const RowOutputs<T>& row, int t, int length,
                        float (&value)[8]) const {
    if (row.skips) {
      // The skip stays out of the 16-bit transform: it is added here, in float.
      float x[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) x[j] = row.skip;
      multiply_eight<T>(x, a[i]);
      if (row.b != nullptr) multiply_eight<T>(x, b[i]);
#pragma unroll
      for (int j = 0; j < 8; ++j) value[j] += x[j];
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      if (row.out[k] == nullptr) continue;
      float result[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) result[j] = value[j];
      if (row.factor[k] != nullptr) multiply_eight<T>(result, factor[k][i]);
      store_eight<T, kAccess>(row.out[k], t, length, result);
    }
  }
};

/// The same on its way through shared memory, so that it costs no registers until it is there.
template <class T, int R, Access kAccess, int kCount>
struct OutputStage {
  static constexpr int kSlotVectors = 4 * kCount * 32;
  uint4* column;  ///< the lane's, of the warp's slot: every lane reads what it has asked for itself

  /// Vectors from place.first on.
  __device__ void start(const RowOutputs<T>& row, const TaskPlace<R>& place, int length) const {
    const auto all = [&](int array, const T* from) {
      if (from == nullptr) return;
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        uint4* const to = column + 32 * (kCount * array + i);
        const int t = place.element(i);
        if constexpr (kAccess == Access::scalar) {
          *to = load_eight<T, kAccess>(from, t, length);
        } else {
          const bool inside = kAccess == Access::whole || t < length;
          copy_later(shared_address(to), inside ? from + t : from, inside);
        }
      }
    };
    if (row.skips) {
      all(0, row.a);
      all(1, row.b);
    }
    all(2, row.factor[0]);
    all(3, row.factor[1]);
  }
  __device__ OutputInputs<T, R, kAccess, kCount> take() const {
    OutputInputs<T, R, kAccess, kCount> inputs;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      inputs.a[i] = column[32 * i];
      inputs.b[i] = column[32 * (kCount + i)];
      inputs.factor[0][i] = column[32 * (2 * kCount + i)];
      inputs.factor[1][i] = column[32 * (3 * kCount + i)];
    }
    return inputs;
  }
};

/// Results that need nothing but their scale, at place.element(0..).
template <Access kAccess, class T, int R, int kCount>
__device__ inline void write_plain(const RowOutputs<T>& row, const TaskPlace<R>& place, int length,
                                   float (&value)[kCount][8]) {
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
#pragma unroll
    for (int j = 0; j < 8; ++j) value[v][j] *= row.unscale;
    store_eight<T, kAccess>(row.out[0], place.element(v), length, value[v]);
  }
}

/// A task's vectors through the inverse outer stage and out. kPlain: out[0] alone, without skip or
/// factor; else gates and skip are loaded a vector at a time, as registers are few.
template <Access kAccess, bool kPlain, class T, int R, int kBlocks>
__device__ inline void write_task(const OuterMatrices<R>& matrices,
                                  const MatrixRow<R, kBlocks>& rows, int lane, TaskPlace<R> place,
                                  int length, const RowOutputs<T>& row) {
  constexpr int kCount = RingShape<R>::kVectors;
  float value[kCount][8];
  outer_inverse(matrices, rows, 0, lane, value);
  if constexpr (kPlain) {
    write_plain<kAccess>(row, place, length, value);
  } else {
#pragma unroll
    for (int v = 0; v < kCount; ++v) {
      const int t = place.element(v);
#pragma unroll
      for (int j = 0; j < 8; ++j) value[v][j] *= row.unscale;
      place.first = renewed(place.first);
      OutputInputs<T, R, kAccess, 1> inputs;
      inputs.load(row, place, v, length);
      inputs.write(0, row, t, length, value[v]);
    }
  }
}

}  // namespace longconv::kernels::cuda
