// The sums of blocks' slots, in order: every gradient of a parameter in one launch.
#pragma once

#include "core/kernels/implicit_filter.h"

namespace longconv::kernels::cuda::synthesis {

/// to[r, c] = sum over i < slots of from[i slot_stride + r row_stride + c] for a matrix [rows,
/// columns]. Its rows lie slice_rows a time: those of slice j begin j slots slot_strides further
/// on.
struct SlotSum {
  float* to;
  const float* from;
  long long slot_stride;
  int slots;
  long long rows;
  long long slice_rows;
  long long columns;
  int row_stride;
};

struct SlotSums {
  static constexpr int kMost = 2 * kMaxSineLayers + 3;
  SlotSum all[kMost];
  long long first_block[kMost + 1] = {};  ///< of each, in the kernel's grid
  int count = 0;
  void add(const SlotSum& sum);
};

/// Adds them up. Asynchronous on `stream`.
void reduce_slots(const SlotSums& sums, Stream stream);

}  // namespace longconv::kernels::cuda::synthesis
