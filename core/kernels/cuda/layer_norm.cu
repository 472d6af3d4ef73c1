// A warp has a row in its registers, four neighbouring channels a lane and step. Backward, warps
// walk over rows and keep the sums of dweight and dbias for the channels they hold; blocks add up
// their warps', and a second kernel the blocks', in order.
#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/elements.cuh"
#include "core/kernels/cuda/layer_norm.h"

#include <algorithm>

namespace longconv::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kStep = 128;       // channels of a warp's step
constexpr int kMaxBlocks = 528;  // backward: four a multiprocessor of an H100

template <class T>
struct Call {
  LayerNormArgs a;
  const T* dy;
  float* dx;
  float* partials;  ///< [blocks][2][D]
};

__device__ float over_warp(float v) {
#pragma unroll
  for (int lane = 16; lane > 0; lane /= 2) v += __shfl_xor_sync(0xFFFFFFFFU, v, lane);
  return v;
}

template <class T>
__device__ void read(float (&v)[4], const T* from) {
  if constexpr (sizeof(T) == 4) {
    *reinterpret_cast<float4*>(v) = *reinterpret_cast<const float4*>(from);
  } else {
    const uint2 words = *reinterpret_cast<const uint2*>(from);
    const float2 low = unpack<T>(words.x);
    const float2 high = unpack<T>(words.y);
    v[0] = low.x;
    v[1] = low.y;
    v[2] = high.x;
    v[3] = high.y;
  }
}

template <class T>
__device__ void write(T* to, const float (&v)[4]) {
  if constexpr (sizeof(T) == 4) {
    *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(v);
  } else {
    *reinterpret_cast<uint2*>(to) = {pack<T>(v[0], v[1]), pack<T>(v[2], v[3])};
  }
}

/// v[step] of this lane, zeros beyond the channels.
template <int kSteps, class T>
__device__ void read_row(float (&v)[kSteps][4], const T* row, int first, int channels) {
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    const int c = first + kStep * i;
    if (c < channels) {
      read(v[i], row + c);
    } else {
      v[i][0] = v[i][1] = v[i][2] = v[i][3] = 0.0f;
    }
  }
}

template <class T, int kSteps>
__global__ void __launch_bounds__(kThreads) forward_kernel(const LayerNormArgs a) {
  const int channels = static_cast<int>(a.channels);
  const int first = 4 * (static_cast<int>(threadIdx.x) % 32);
  const long long row = static_cast<long long>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= a.rows) return;
  float x[kSteps][4];
  read_row(x, a.x + row * channels, first, channels);
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kSteps; ++i) sum += (x[i][0] + x[i][1]) + (x[i][2] + x[i][3]);
  const float mean = over_warp(sum) / static_cast<float>(channels);
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    if (first + kStep * i >= channels) break;
#pragma unroll
    for (int j = 0; j < 4; ++j) squares += (x[i][j] - mean) * (x[i][j] - mean);
  }
  const float scale =
      1.0f / sqrtf(over_warp(squares) / static_cast<float>(channels) + static_cast<float>(a.eps));
  T* y = static_cast<T*>(a.y) + row * channels;
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    const int c = first + kStep * i;
    if (c >= channels) break;
    float weight[4];
    float bias[4];
    read(weight, a.weight + c);
    read(bias, a.bias + c);
#pragma unroll
    for (int j = 0; j < 4; ++j) x[i][j] = (x[i][j] - mean) * scale * weight[j] + bias[j];
    write(y + c, x[i]);
  }
  if (first == 0) {
    a.mean[row] = mean;
    a.scale[row] = scale;
  }
}

template <class T, int kSteps>
__global__ void __launch_bounds__(kThreads, kSteps <= 2 ? 4 : 1)
    backward_kernel(const Call<T> call) {
  const LayerNormArgs& a = call.a;
  const int channels = static_cast<int>(a.channels);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first = 4 * (static_cast<int>(threadIdx.x) % 32);
  const float share = 1.0f / static_cast<float>(channels);
  float dweight[kSteps][4] = {};
  float dbias[kSteps][4] = {};
  for (long long row = static_cast<long long>(blockIdx.x) * kWarps + warp; row < a.rows;
       row += static_cast<long long>(gridDim.x) * kWarps) {
    float x[kSteps][4];
    float dy[kSteps][4];
    read_row(x, a.x + row * channels, first, channels);
    read_row(dy, call.dy + row * channels, first, channels);
    const float mean = a.mean[row];
    const float scale = a.scale[row];
    float sum = 0.0f;
    float along = 0.0f;
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int c = first + kStep * i;
      if (c >= channels) break;
      float weight[4];
      read(weight, a.weight + c);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        x[i][j] = (x[i][j] - mean) * scale;
        dweight[i][j] += dy[i][j] * x[i][j];
        dbias[i][j] += dy[i][j];
        dy[i][j] *= weight[j];
        sum += dy[i][j];
        along += dy[i][j] * x[i][j];
      }
    }
    if (call.dx == nullptr) continue;
    sum = over_warp(sum) * share;
    along = over_warp(along) * share;
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int c = first + kStep * i;
      if (c >= channels) break;
#pragma unroll
      for (int j = 0; j < 4; ++j) x[i][j] = scale * (dy[i][j] - sum - x[i][j] * along);
      write(call.dx + row * channels + c, x[i]);
    }
  }

  __shared__ float sums[kWarps][kStep];
  float* partial = call.partials + static_cast<long long>(blockIdx.x) * 2 * channels;
#pragma unroll
  for (int which = 0; which < 2; ++which) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      __syncthreads();
      write(&sums[warp][first], which == 0 ? dweight[i] : dbias[i]);
      __syncthreads();
      const int c = kStep * i + static_cast<int>(threadIdx.x);
      if (threadIdx.x >= kStep || c >= channels) continue;
      float all = 0.0f;
      for (int w = 0; w < kWarps; ++w) all += sums[w][threadIdx.x];
      partial[which * channels + c] = all;
    }
  }
}

constexpr int kColumns = 32;
constexpr int kRows = 8;

/// dweight and dbias, `columns` together, from the blocks' parts.
__global__ void __launch_bounds__(kColumns* kRows)
    reduce_kernel(const float* partials, int blocks, int channels, float* dweight, float* dbias) {
  __shared__ float parts[kRows][kColumns];
  const int column = static_cast<int>(blockIdx.x) * kColumns + static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  if (column < 2 * channels) {
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.y); i < blocks; i += kRows) {
      sum += partials[static_cast<long long>(i) * 2 * channels + column];
    }
  }
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= 2 * channels) return;
  for (int row = 1; row < kRows; ++row) sum += parts[row][threadIdx.x];
  float* to = column < channels ? dweight : dbias;
  if (to != nullptr) to[column % channels] = sum;
}

int backward_blocks(const LayerNormArgs& a) {
  return static_cast<int>(std::min<std::int64_t>((a.rows + kWarps - 1) / kWarps, kMaxBlocks));
}

/// call.operator()<steps>() for the fewest steps that hold the channels.
template <class Run>
void with_steps(std::int64_t channels, const Run& run) {
  const std::int64_t steps = (channels + kStep - 1) / kStep;
  if (steps <= 1) return run.template operator()<1>();
  if (steps <= 2) return run.template operator()<2>();
  if (steps <= 4) return run.template operator()<4>();
  if (steps <= 6) return run.template operator()<6>();
  return run.template operator()<8>();
}

template <class T>
void forward(const LayerNormArgs& a, Stream stream) {
  const std::int64_t blocks = (a.rows + kWarps - 1) / kWarps;
  if (blocks > 2147483647LL) {
    throw UnsupportedError("layer_norm: " + std::to_string(a.rows) + " rows exceed a CUDA grid");
  }
  with_steps(a.channels, [&]<int kSteps>() {
    forward_kernel<T, kSteps><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(a);
  });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class T>
void backward(const LayerNormGradArgs& d, Stream stream) {
  const LayerNormArgs& a = d.inputs;
  const Call<T> call{a, static_cast<const T*>(d.dy), d.dx, static_cast<float*>(d.workspace)};
  const int blocks = backward_blocks(a);
  with_steps(a.channels, [&]<int kSteps>() {
    backward_kernel<T, kSteps><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(call);
  });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
  if (d.dweight == nullptr && d.dbias == nullptr) return;
  const auto columns = static_cast<int>(2 * a.channels);
  reduce_kernel<<<static_cast<unsigned>((columns + kColumns - 1) / kColumns), dim3(kColumns, kRows),
                  0, stream>>>(call.partials, blocks, static_cast<int>(a.channels), d.dweight,
                               d.dbias);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace

void layer_norm_forward_f32(const LayerNormArgs& a, Stream s) { forward<float>(a, s); }
void layer_norm_forward_bf16(const LayerNormArgs& a, Stream s) { forward<__nv_bfloat16>(a, s); }
void layer_norm_forward_f16(const LayerNormArgs& a, Stream s) { forward<__half>(a, s); }
void layer_norm_backward_f32(const LayerNormGradArgs& d, Stream s) { backward<float>(d, s); }
void layer_norm_backward_bf16(const LayerNormGradArgs& d, Stream s) {
  backward<__nv_bfloat16>(d, s);
}
void layer_norm_backward_f16(const LayerNormGradArgs& d, Stream s) { backward<__half>(d, s); }

std::int64_t layer_norm_workspace_bytes(const LayerNormArgs& a) {
  return backward_blocks(a) * 2 * a.channels * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace longconv::kernels::cuda
