// The short convolution where time is the fastest dimension: threads along a row hold one 16-byte
// chunk of outputs each and read the chunks before (backward: after) from the first-level cache,
// where their neighbours' loads have brought them. Nothing is shared, so rows stream through at the
// memory's pace.
//
// Rows of any length: chunks lie where y has them aligned, so the first of a row may begin up to
// kChunk - 1 steps before it. Chunks within the row move whole, those on its ends by elements.
#pragma once

#include "core/kernels/cuda/short_conv_elements.cuh"

#include <algorithm>
#include <cstdint>

namespace longconv::kernels::cuda::rows {

constexpr int kThreads = 128;
constexpr int kForwardChunks = 2;   // a thread's, forward
constexpr int kBackwardChunks = 8;  // about as many a thread's, backward: one partial sum
constexpr int kStride = 4;          // chunks of one row and thread, backward, at most

template <class T>
struct Call {
  const T* u = nullptr;  // u[b, c, t] at b * u_batch_stride + c * length + t
  const float* w = nullptr;
  const float* bias = nullptr;
  T* y = nullptr;         // forward
  const T* dy = nullptr;  // backward; y, dy, du: [B, C, L] contiguous
  T* du = nullptr;
  float* partials = nullptr;  // [sets, kTaps + 1, C]
  long long u_batch_stride = 0;
  int batch = 0, channels = 0, length = 0, taps = 0;
  int threads_x = 0;     // a block's threads along a row; the others take further rows or batches
  int chunks = 0;        // of a row, ends included
  int blocks_x = 0;      // blocks along a row
  int group = 0;         // backward: batch elements of one block
  bool u_whole = false;  // u's chunks are aligned as y's (dy's) are
  bool y_whole = false;  // y's (du's) and dy's chunks are aligned
};

/// x[t ..] as floats, zeros outside the row; one access where the chunk is whole.
template <class T>
__device__ inline void load(float* x, const T* row, int t, int length, bool whole) {
  if (whole && t >= 0 && t + kChunk<T> <= length) {
    from_chunk<T>(x, __ldg(reinterpret_cast<const uint4*>(row + t)));
    return;
  }
#pragma unroll
  for (int e = 0; e < kChunk<T>; ++e) {
    const int at = t + e;
    x[e] = at >= 0 && at < length ? to_float(row[at]) : 0.0f;
  }
}

template <class T>
__device__ inline void store(T* row, int t, const float* x, int length, bool whole) {
  if (whole && t >= 0 && t + kChunk<T> <= length) {
    *reinterpret_cast<uint4*>(row + t) = to_chunk<T>(x);
    return;
  }
#pragma unroll
  for (int e = 0; e < kChunk<T>; ++e) {
    const int at = t + e;
    if (at >= 0 && at < length) {
      row[at] = from_float<T>(x[e]);
    }
  }
}

/// Chunks that K - 1 steps reach into.
template <class T, int kTaps>
constexpr int kReach = (kTaps - 1 + kChunk<T> - 1) / kChunk<T>;

/// Block: threads_x chunks of kThreads / threads_x rows.
template <class T, int kTaps>
__global__ void __launch_bounds__(kThreads) forward_kernel(const Call<T> a) {
  constexpr int kBack = kReach<T, kTaps> * kChunk<T>;
  const int tx = static_cast<int>(threadIdx.x) % a.threads_x;
  const int ty = static_cast<int>(threadIdx.x) / a.threads_x;
  const int rows = kThreads / a.threads_x;
  const long long row = static_cast<long long>(blockIdx.x / a.blocks_x) * rows + ty;
  if (row >= static_cast<long long>(a.batch) * a.channels) {
    return;
  }
  const int b = static_cast<int>(row / a.channels);
  const int c = static_cast<int>(row % a.channels);
  const T* u = a.u + b * a.u_batch_stride + static_cast<long long>(c) * a.length;
  T* y = a.y + row * a.length;
  const int before = static_cast<int>(row * a.length % kChunk<T>);
  const int first = static_cast<int>(blockIdx.x % a.blocks_x) * a.threads_x * kForwardChunks + tx;

  float x[kForwardChunks][kBack + kChunk<T>];
#pragma unroll
  for (int k = 0; k < kForwardChunks; ++k) {
    const int t = (first + k * a.threads_x) * kChunk<T> - before;
#pragma unroll
    for (int i = 0; i <= kReach<T, kTaps>; ++i) {
      load(x[k] + i * kChunk<T>, u, t - kBack + i * kChunk<T>, a.length, a.u_whole);
    }
  }
  float w[kTaps];
  load_taps(w, a.w, c, true, a.taps);
  const float bias = a.bias != nullptr ? a.bias[c] : 0.0f;
#pragma unroll
  for (int k = 0; k < kForwardChunks; ++k) {
    const int t = (first + k * a.threads_x) * kChunk<T> - before;
    float out[kChunk<T>];
#pragma unroll
    for (int e = 0; e < kChunk<T>; ++e) {
      out[e] = bias;
#pragma unroll
      for (int j = 0; j < kTaps; ++j) {
        out[e] += w[j] * x[k][kBack + e - (kTaps - 1) + j];
      }
    }
    store(y, t, out, a.length, a.y_whole);
  }
}

/// Block: one channel, `group` batch elements, at most kStride * threads_x chunks of their rows.
/// Its sums of dw and dbias go to one set of partials.
template <class T, int kTaps>
__global__ void __launch_bounds__(kThreads) backward_kernel(const Call<T> a) {
  constexpr int kBack = kReach<T, kTaps> * kChunk<T>;
  const int tx = static_cast<int>(threadIdx.x) % a.threads_x;
  const int ty = static_cast<int>(threadIdx.x) / a.threads_x;
  const int rows = kThreads / a.threads_x;
  const int c = static_cast<int>(blockIdx.x % a.channels);
  const int set = static_cast<int>(blockIdx.x / a.channels);
  const int first_chunk = set % a.blocks_x * a.threads_x * kStride;
  const int first_b = set / a.blocks_x * a.group;
  const int last_b = min(first_b + a.group, a.batch);
  const int last_chunk = min(first_chunk + a.threads_x * kStride, a.chunks);
  float w[kTaps];
  load_taps(w, a.w, c, true, a.taps);
  float sums[kTaps + 1] = {};

  for (int b = first_b + ty; b < last_b; b += rows) {
    const long long row = static_cast<long long>(b) * a.channels + c;
    const T* u = a.u + b * a.u_batch_stride + static_cast<long long>(c) * a.length;
    const T* dy = a.dy + row * a.length;
    const int before = static_cast<int>(row * a.length % kChunk<T>);
    for (int chunk = first_chunk + tx; chunk < last_chunk; chunk += a.threads_x) {
      const int t = chunk * kChunk<T> - before;
      float x[kBack + kChunk<T>];
      float g[kChunk<T> + kBack];
#pragma unroll
      for (int i = 0; i <= kReach<T, kTaps>; ++i) {
        load(g + i * kChunk<T>, dy, t + i * kChunk<T>, a.length, a.y_whole);
        load(x + i * kChunk<T>, u, t - kBack + i * kChunk<T>, a.length, a.u_whole);
      }
#pragma unroll
      for (int e = 0; e < kChunk<T>; ++e) {
#pragma unroll
        for (int j = 0; j < kTaps; ++j) {
          sums[j] += g[e] * x[kBack + e - (kTaps - 1) + j];
        }
        sums[kTaps] += g[e];
      }
      if (a.du != nullptr) {
        float out[kChunk<T>];
#pragma unroll
        for (int e = 0; e < kChunk<T>; ++e) {
          out[e] = 0.0f;
#pragma unroll
          for (int j = 0; j < kTaps; ++j) {
            out[e] += w[j] * g[e + kTaps - 1 - j];
          }
        }
        store(a.du + row * a.length, t, out, a.length, a.y_whole);
      }
    }
  }

  if (a.partials == nullptr) {
    return;
  }
  constexpr int kWarps = kThreads / 32;
  __shared__ float all[kWarps][kTaps + 1];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int j = 0; j <= kTaps; ++j) {
    const float sum = warp_sum(sums[j]);
    if (lane == 0) {
      all[warp][j] = sum;
    }
  }
  __syncthreads();
  if (threadIdx.x <= kTaps) {
    float sum = 0.0f;
    for (int other = 0; other < kWarps; ++other) {
      sum += all[other][threadIdx.x];
    }
    a.partials[(static_cast<long long>(set) * (kTaps + 1) + threadIdx.x) * a.channels + c] = sum;
  }
}

// ---- launches ----------------------------------------------------------------------------------

/// Fills in how a row is cut. The shape alone decides it.
template <class T>
void cut(Call<T>& a, int chunks_per_thread) {
  // A row that begins between chunks touches one more.
  a.chunks = static_cast<int>(ceil_div(a.length, kChunk<T>)) + (a.length % kChunk<T> != 0 ? 1 : 0);
  a.threads_x = 32;
  while (a.threads_x < kThreads && a.threads_x * chunks_per_thread < a.chunks) {
    a.threads_x *= 2;
  }
  a.blocks_x = static_cast<int>(ceil_div(a.chunks, a.threads_x * chunks_per_thread));
}

/// How many batch elements a block of the backward takes, so that a thread has kBackwardChunks.
template <class T>
int batch_group(const Call<T>& a) {
  const int of_a_row = std::min<int>(kStride, static_cast<int>(ceil_div(a.chunks, a.threads_x)));
  return std::max(1, kBackwardChunks / of_a_row) * (kThreads / a.threads_x);
}

/// Sets of partial sums of a backward call.
template <class T>
long long backward_sets(Call<T> a) {
  cut(a, kStride);
  return ceil_div(a.batch, batch_group(a)) * a.blocks_x;
}

template <class T>
bool whole_chunks(const T* x) {
  return reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
}

template <class T>
void forward(Call<T> a, Stream stream) {
  cut(a, kForwardChunks);
  const long long row = static_cast<long long>(a.channels) * a.length;
  a.y_whole = whole_chunks(a.y);
  a.u_whole = whole_chunks(a.u) && (a.u_batch_stride - row) % kChunk<T> == 0;
  const long long rows = static_cast<long long>(a.batch) * a.channels;
  const unsigned grid = short_conv_grid(ceil_div(rows, kThreads / a.threads_x) * a.blocks_x);
  with_kernel_taps(
      a.taps, [&]<int kTaps>() { forward_kernel<T, kTaps><<<grid, kThreads, 0, stream>>>(a); });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class T>
void backward(Call<T> a, float* dw, float* dbias, Stream stream) {
  const long long sets = backward_sets(a);
  cut(a, kStride);
  a.group = batch_group(a);
  const long long row = static_cast<long long>(a.channels) * a.length;
  a.y_whole = whole_chunks(a.dy) && whole_chunks(a.du);
  a.u_whole = whole_chunks(a.u) && (a.u_batch_stride - row) % kChunk<T> == 0;
  const unsigned grid = short_conv_grid(sets * a.channels);
  with_kernel_taps(
      a.taps, [&]<int kTaps>() { backward_kernel<T, kTaps><<<grid, kThreads, 0, stream>>>(a); });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
  if (a.partials != nullptr) {
    short_conv_reduce(a.partials, sets, a.channels, a.taps, dw, dbias, stream);
  }
}

}  // namespace longconv::kernels::cuda::rows
