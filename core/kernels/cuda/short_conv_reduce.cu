#include "core/kernels/cuda/short_conv_elements.cuh"

#include <string>

namespace longconv::kernels::cuda {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 8;

/// Each column, a tap or the bias of one channel, by kRows threads.
__global__ void __launch_bounds__(kColumns* kRows)
    reduce_kernel(const float* partials, long long sets, int padded_taps, float* dw, float* dbias,
                  long long channels, int taps) {
  __shared__ float sums[kRows][kColumns];
  const long long columns = (padded_taps + 1) * channels;
  const long long column = static_cast<long long>(blockIdx.x) * kColumns + threadIdx.x;
  float sum = 0.0f;
  if (column < columns) {
    for (long long i = threadIdx.y; i < sets; i += kRows) {
      sum += partials[i * columns + column];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) {
    return;
  }
  for (int row = 1; row < kRows; ++row) {
    sum += sums[row][threadIdx.x];
  }
  const int j = static_cast<int>(column / channels);
  const long long c = column % channels;
  const int tap = j - (padded_taps - taps);
  if (j == padded_taps) {
    if (dbias != nullptr) {
      dbias[c] = sum;
    }
  } else if (tap >= 0 && dw != nullptr) {
    dw[c * taps + tap] = sum;
  }
}

}  // namespace

int short_conv_count(std::int64_t count, const char* what) {
  if (count > (1 << 30)) {
    throw UnsupportedError(std::string("short_conv: its CUDA rows take at most 2^30 ") + what +
                           ", got " + std::to_string(count));
  }
  return static_cast<int>(count);
}

unsigned short_conv_grid(long long blocks) {
  if (blocks > 2147483647LL) {
    throw UnsupportedError("short_conv: " + std::to_string(blocks) +
                           " blocks exceed a CUDA grid; split the batch");
  }
  return static_cast<unsigned>(blocks);
}

std::int64_t short_conv_partial_bytes(long long sets, long long channels, std::int64_t taps) {
  return sets * (kernel_taps(taps) + 1) * channels * static_cast<std::int64_t>(sizeof(float));
}

void short_conv_reduce(const float* partials, long long sets, long long channels, std::int64_t taps,
                       float* dw, float* dbias, Stream stream) {
  const int padded = kernel_taps(taps);
  const long long columns = (padded + 1) * channels;
  reduce_kernel<<<short_conv_grid(ceil_div(columns, kColumns)), dim3(kColumns, kRows), 0, stream>>>(
      partials, sets, padded, dw, dbias, channels, static_cast<int>(taps));
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace longconv::kernels::cuda
