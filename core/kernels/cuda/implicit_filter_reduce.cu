#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/implicit_filter_reduce.h"

namespace longconv::kernels::cuda::synthesis {
namespace {

constexpr int kSumColumns = 32;
constexpr int kSumRows = 8;

/// An element by kSumRows threads: slots i, i + kSumRows, .. each, then their sums.
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    reduce_kernel(const __grid_constant__ SlotSums sums) {
  __shared__ float parts[kSumRows][kSumColumns];
  int which = 0;
  while (blockIdx.x >= sums.first_block[which + 1]) ++which;
  const SlotSum& s = sums.all[which];
  const long long element =
      (blockIdx.x - sums.first_block[which]) * kSumColumns + static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  if (element < s.rows * s.columns) {
    const long long row = element / s.columns;
    const float* from = s.from + row / s.slice_rows * s.slots * s.slot_stride +
                        row % s.slice_rows * s.row_stride + element % s.columns;
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.y); i < s.slots; i += kSumRows) {
      sum += from[i * s.slot_stride];
    }
  }
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || element >= s.rows * s.columns) return;
  for (int row = 1; row < kSumRows; ++row) sum += parts[row][threadIdx.x];
  s.to[element] = sum;
}

}  // namespace

void SlotSums::add(const SlotSum& sum) {
  all[count] = sum;
  const long long blocks = (sum.rows * sum.columns + kSumColumns - 1) / kSumColumns;
  first_block[count + 1] = first_block[count] + blocks;
  ++count;
}

void reduce_slots(const SlotSums& sums, Stream stream) {
  if (sums.count == 0) return;
  const auto blocks = static_cast<unsigned>(sums.first_block[sums.count]);
  reduce_kernel<<<blocks, dim3(kSumColumns, kSumRows), 0, stream>>>(sums);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace longconv::kernels::cuda::synthesis
