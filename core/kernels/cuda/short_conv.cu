#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/short_conv.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <string>

namespace longconv::kernels::cuda {
namespace {

constexpr int kChannels = 64;  // a block's channels
constexpr int kTimes = 32;     // time steps of one tile
constexpr int kThreads = 256;
constexpr int kGroups = kThreads / kChannels;  // groups of threads, each with every channel
constexpr int kGroupTimes = kTimes / kGroups;  // time steps of a tile that one group walks
constexpr int kTilesPerBlock = 16;             // backward: 512 steps share one partial sum
constexpr int kReduceColumns = 32;
constexpr int kReduceRows = 8;

__device__ float to_float(float x) { return x; }
__device__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ float to_float(__half x) { return __half2float(x); }

template <class T>
__device__ T from_float(float x);
template <>
__device__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__device__ __half from_float<__half>(float x) {
  return __float2half_rn(x);
}

/// kChannels rows of kTimes + kExtra steps; the odd pitch keeps both walks free of bank conflicts.
template <int kExtra>
struct Tile {
  static constexpr int kSteps = kTimes + kExtra;
  static constexpr int kPitch = kSteps | 1;
  float values[kChannels * kPitch];
};

/// tile[c][i] = x[c0+c, first+i], 0 outside the tensor. `x` points at this batch element.
template <bool kChannelsLast, int kExtra, class T>
__device__ void load(Tile<kExtra>& tile, const T* x, long long channel_stride,
                     long long time_stride, long long c0, long long channels, long long first,
                     long long length) {
  using Shape = Tile<kExtra>;
  constexpr int kCount = kChannels * Shape::kSteps;
#pragma unroll
  for (int n = threadIdx.x; n < kCount; n += kThreads) {
    const int c = kChannelsLast ? n % kChannels : n / Shape::kSteps;
    const int i = kChannelsLast ? n / kChannels : n % Shape::kSteps;
    const long long t = first + i;
    const bool inside = c0 + c < channels && t >= 0 && t < length;
    tile.values[c * Shape::kPitch + i] =
        inside ? to_float(x[(c0 + c) * channel_stride + t * time_stride]) : 0.0f;
  }
}

/// x[c0+c, first+i] = tile[c][i] where that is inside the tensor; x is contiguous, [C, L] or [L,
/// C].
template <bool kChannelsLast, class T>
__device__ void store(T* x, const Tile<0>& tile, long long c0, long long channels, long long first,
                      long long length) {
#pragma unroll
  for (int n = threadIdx.x; n < kChannels * kTimes; n += kThreads) {
    const int c = kChannelsLast ? n % kChannels : n / kTimes;
    const int i = kChannelsLast ? n / kChannels : n % kTimes;
    const long long channel = c0 + c;
    const long long t = first + i;
    if (channel < channels && t < length) {
      x[kChannelsLast ? t * channels + channel : channel * length + t] =
          from_float<T>(tile.values[c * Tile<0>::kPitch + i]);
    }
  }
}

struct Shape {
  long long u_batch_stride, u_channel_stride, u_time_stride;
  long long channels, length;
  int taps;
};

/// Filters shorter than kTaps get zeros in front: the last tap is the present step.
template <int kTaps>
__device__ void load_weights(float (&w)[kTaps], const float* all, long long c, const Shape& s) {
#pragma unroll
  for (int j = 0; j < kTaps; ++j) {
    const int tap = j - (kTaps - s.taps);
    w[j] = c < s.channels && tap >= 0 ? all[c * s.taps + tap] : 0.0f;
  }
}

/// Block (x, y): channel tile y; x counts the time tiles of all batch elements.
template <class T, int kTaps, bool kChannelsLast>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(const T* u, const float* w, const float* bias, T* y, Shape s,
                   long long time_tiles) {
  constexpr int kHalo = kTaps - 1;
  __shared__ Tile<kHalo> tile;
  __shared__ Tile<0> y_tile;
  const long long b = blockIdx.x / time_tiles;
  const long long t0 = (blockIdx.x % time_tiles) * kTimes;
  const long long c0 = static_cast<long long>(blockIdx.y) * kChannels;
  load<kChannelsLast>(tile, u + b * s.u_batch_stride, s.u_channel_stride, s.u_time_stride, c0,
                      s.channels, t0 - kHalo, s.length);
  __syncthreads();

  // A thread owns a channel, its taps in registers, and slides over its group's steps.
  const int c = threadIdx.x % kChannels;
  const int begin = threadIdx.x / kChannels * kGroupTimes;
  float weights[kTaps];
  load_weights(weights, w, c0 + c, s);
  const float start = bias != nullptr && c0 + c < s.channels ? bias[c0 + c] : 0.0f;
  const float* row = tile.values + c * Tile<kHalo>::kPitch + begin;
  float past[kTaps];
#pragma unroll
  for (int j = 0; j < kHalo; ++j) {
    past[j + 1] = row[j];
  }
#pragma unroll
  for (int t = 0; t < kGroupTimes; ++t) {
    float sum = start;
#pragma unroll
    for (int j = 0; j < kHalo; ++j) {
      past[j] = past[j + 1];
    }
    past[kHalo] = row[t + kHalo];
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
      sum += weights[j] * past[j];
    }
    y_tile.values[c * Tile<0>::kPitch + begin + t] = sum;
  }
  __syncthreads();
  store<false>(y + b * s.channels * s.length, y_tile, c0, s.channels, t0, s.length);
}

/// Block (x, y): kTilesPerBlock time tiles of one batch element, one channel tile. A thread owns a
/// channel and walks its group's steps with sliding windows of u and dy; partial sums of dw and
/// dbias go to partials[x][kTaps + 1][C].
template <class T, int kTaps, bool kChannelsLast>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(const T* u, const float* w, const T* dy, T* du, float* partials, Shape s,
                    long long blocks_per_row) {
  constexpr int kHalo = kTaps - 1;
  __shared__ Tile<kHalo> u_tile;
  __shared__ Tile<kHalo> dy_tile;
  __shared__ Tile<0> du_tile;
  constexpr int kPitch = Tile<kHalo>::kPitch;
  const long long b = blockIdx.x / blocks_per_row;
  const long long block_t0 = (blockIdx.x % blocks_per_row) * (kTimes * kTilesPerBlock);
  const long long c0 = static_cast<long long>(blockIdx.y) * kChannels;
  const int c = threadIdx.x % kChannels;
  const int group = threadIdx.x / kChannels;

  float weights[kTaps];
  load_weights(weights, w, c0 + c, s);
  float dw[kTaps] = {};
  float dbias = 0.0f;

  for (int k = 0; k < kTilesPerBlock; ++k) {
    const long long t0 = block_t0 + k * kTimes;
    if (t0 >= s.length) {
      break;  // the same for every thread
    }
    load<kChannelsLast>(u_tile, u + b * s.u_batch_stride, s.u_channel_stride, s.u_time_stride, c0,
                        s.channels, t0 - kHalo, s.length);
    load<false>(dy_tile, dy + b * s.channels * s.length, s.length, 1, c0, s.channels, t0, s.length);
    __syncthreads();

    // past[j] = u[t-(K-1)+j], ahead[i] = dy[t+i]
    const int begin = group * kGroupTimes;
    const float* u_row = u_tile.values + c * kPitch + begin;
    const float* dy_row = dy_tile.values + c * kPitch + begin;
    float past[kTaps];
    float ahead[kTaps];
#pragma unroll
    for (int j = 0; j < kHalo; ++j) {
      past[j + 1] = u_row[j];
      ahead[j + 1] = dy_row[j];
    }
#pragma unroll
    for (int t = 0; t < kGroupTimes; ++t) {
#pragma unroll
      for (int j = 0; j < kHalo; ++j) {
        past[j] = past[j + 1];
        ahead[j] = ahead[j + 1];
      }
      past[kHalo] = u_row[t + kHalo];
      ahead[kHalo] = dy_row[t + kHalo];
      float sum = 0.0f;
#pragma unroll
      for (int j = 0; j < kTaps; ++j) {
        sum += weights[j] * ahead[kHalo - j];
        dw[j] += ahead[0] * past[j];
      }
      dbias += ahead[0];
      if (du != nullptr) {
        du_tile.values[c * Tile<0>::kPitch + begin + t] = sum;
      }
    }
    __syncthreads();

    if (du != nullptr) {
      store<kChannelsLast>(du + b * s.channels * s.length, du_tile, c0, s.channels, t0, s.length);
    }
    // The next load() writes u_tile and dy_tile, which nobody reads any more; du_tile is written
    // again only after the barrier that follows it.
  }

  if (partials == nullptr) {
    return;
  }
  // Groups of one channel are added in a fixed order; u_tile's memory is free after the loop.
  static_assert(kGroups * kChannels <= kChannels * kPitch);
  float* sums = u_tile.values;
  const long long plane = static_cast<long long>(blockIdx.x) * (kTaps + 1);
#pragma unroll
  for (int j = 0; j <= kTaps; ++j) {
    __syncthreads();
    sums[group * kChannels + c] = j < kTaps ? dw[j < kTaps ? j : 0] : dbias;
    __syncthreads();
    if (group == 0 && c0 + c < s.channels) {
      float sum = sums[c];
      for (int g = 1; g < kGroups; ++g) {
        sum += sums[g * kChannels + c];
      }
      partials[(plane + j) * s.channels + c0 + c] = sum;
    }
  }
}

/// Adds the blocks' partial sums, each column by kReduceRows threads in a fixed order.
__global__ void __launch_bounds__(kReduceColumns* kReduceRows)
    reduce_kernel(const float* partials, long long blocks, int kernel_taps, float* dw, float* dbias,
                  long long channels, int taps) {
  __shared__ float sums[kReduceRows][kReduceColumns];
  const long long columns = (kernel_taps + 1) * channels;
  const long long column = static_cast<long long>(blockIdx.x) * kReduceColumns + threadIdx.x;
  float sum = 0.0f;
  if (column < columns) {
    for (long long i = threadIdx.y; i < blocks; i += kReduceRows) {
      sum += partials[i * columns + column];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) {
    return;
  }
  for (int row = 1; row < kReduceRows; ++row) {
    sum += sums[row][threadIdx.x];
  }
  const int j = static_cast<int>(column / channels);
  const long long c = column % channels;
  const int tap = j - (kernel_taps - taps);
  if (j == kernel_taps) {
    if (dbias != nullptr) {
      dbias[c] = sum;
    }
  } else if (tap >= 0 && dw != nullptr) {
    dw[c * taps + tap] = sum;
  }
}

long long ceil_div(long long a, long long b) { return (a + b - 1) / b; }

Shape to_shape(const ShortConvArgs& a) {
  return {a.u_batch_stride, a.u_channel_stride, a.u_time_stride,
          a.channels,       a.length,           static_cast<int>(a.taps)};
}

/// Two instantiations serve 1..4 and 5..8 taps: the loops are bound by memory either way.
int kernel_taps(const ShortConvArgs& a) { return a.taps <= 4 ? 4 : 8; }

long long backward_blocks_per_row(const ShortConvArgs& a) {
  return ceil_div(a.length, kTimes * kTilesPerBlock);
}

dim3 grid_of(long long x, long long channels) {
  const long long y = ceil_div(channels, kChannels);
  if (x > 2147483647LL || y > 65535) {
    throw UnsupportedError("short_conv: " + std::to_string(x) + " x " + std::to_string(y) +
                           " blocks exceed a CUDA grid; split the batch");
  }
  return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y));
}

template <class T, int kTaps, bool kChannelsLast>
void launch_forward(const ShortConvArgs& a, Stream stream) {
  const long long tiles = ceil_div(a.length, kTimes);
  forward_kernel<T, kTaps, kChannelsLast>
      <<<grid_of(a.batch * tiles, a.channels), kThreads, 0, stream>>>(
          static_cast<const T*>(a.u), static_cast<const float*>(a.w),
          static_cast<const float*>(a.bias), static_cast<T*>(a.y), to_shape(a), tiles);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class T, int kTaps, bool kChannelsLast>
void launch_backward(const ShortConvGradArgs& d, Stream stream) {
  const ShortConvArgs& a = d.inputs;
  const bool sums = d.dw != nullptr || d.dbias != nullptr;
  float* partials = sums ? static_cast<float*>(d.workspace) : nullptr;
  const long long blocks_per_row = backward_blocks_per_row(a);
  const long long blocks = a.batch * blocks_per_row;
  backward_kernel<T, kTaps, kChannelsLast><<<grid_of(blocks, a.channels), kThreads, 0, stream>>>(
      static_cast<const T*>(a.u), static_cast<const float*>(a.w), static_cast<const T*>(d.dy),
      static_cast<T*>(d.du), partials, to_shape(a), blocks_per_row);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
  if (sums) {
    const long long columns = (kTaps + 1) * a.channels;
    reduce_kernel<<<static_cast<unsigned>(ceil_div(columns, kReduceColumns)),
                    dim3(kReduceColumns, kReduceRows), 0, stream>>>(
        partials, blocks, kTaps, static_cast<float*>(d.dw), static_cast<float*>(d.dbias),
        a.channels, static_cast<int>(a.taps));
    LONGCONV_CUDA_CHECK(cudaGetLastError());
  }
}

template <class T>
void forward(const ShortConvArgs& a, Stream stream) {
  const bool channels_last = a.u_time_stride != 1;
  if (kernel_taps(a) == 4) {
    channels_last ? launch_forward<T, 4, true>(a, stream) : launch_forward<T, 4, false>(a, stream);
  } else {
    channels_last ? launch_forward<T, 8, true>(a, stream) : launch_forward<T, 8, false>(a, stream);
  }
}

template <class T>
void backward(const ShortConvGradArgs& d, Stream stream) {
  const bool channels_last = d.inputs.u_time_stride != 1;
  if (kernel_taps(d.inputs) == 4) {
    channels_last ? launch_backward<T, 4, true>(d, stream)
                  : launch_backward<T, 4, false>(d, stream);
  } else {
    channels_last ? launch_backward<T, 8, true>(d, stream)
                  : launch_backward<T, 8, false>(d, stream);
  }
}

}  // namespace

std::int64_t short_conv_workspace_bytes(const ShortConvArgs& a) {
  return a.batch * backward_blocks_per_row(a) * (kernel_taps(a) + 1) * a.channels *
         static_cast<std::int64_t>(sizeof(float));
}

void short_conv_forward_f32(const ShortConvArgs& a, Stream s) { forward<float>(a, s); }
void short_conv_forward_bf16(const ShortConvArgs& a, Stream s) { forward<__nv_bfloat16>(a, s); }
void short_conv_forward_f16(const ShortConvArgs& a, Stream s) { forward<__half>(a, s); }

void short_conv_backward_f32(const ShortConvGradArgs& d, Stream s) { backward<float>(d, s); }
void short_conv_backward_bf16(const ShortConvGradArgs& d, Stream s) {
  backward<__nv_bfloat16>(d, s);
}
void short_conv_backward_f16(const ShortConvGradArgs& d, Stream s) { backward<__half>(d, s); }

}  // namespace longconv::kernels::cuda
