// From a call's shape to one of the Toeplitz kernels' instantiations.
#pragma once

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/ring_launch.h"
#include "core/kernels/cuda/toeplitz_tile.cuh"

#include <algorithm>

namespace longconv::kernels::cuda::toeplitz {

/// call.operator()<kRows, kAccess, kPlain, kTwoSided>() for a call's shape.
template <class Call>
void with_shape(int length, bool by_vectors, bool plain, bool two_sided, const Call& call) {
  const auto with_rows = [&]<Access kAccess, bool kPlain, bool kTwoSided>() {
    if (rows_for(length) == 32) {
      call.template operator()<32, kAccess, kPlain, kTwoSided>();
    } else {
      call.template operator()<16, kAccess, kPlain, kTwoSided>();
    }
  };
  const auto with_sides = [&]<Access kAccess, bool kPlain>() {
    two_sided ? with_rows.template operator()<kAccess, kPlain, true>()
              : with_rows.template operator()<kAccess, kPlain, false>();
  };
  if (!by_vectors) {
    with_sides.template operator()<Access::scalar, false>();
  } else if (length % kStep == 0 && plain) {
    with_sides.template operator()<Access::whole, true>();
  } else {
    with_sides.template operator()<Access::vectors, false>();
  }
}

/// Shared memory of a table of taps and of the taps it is made of.
inline int tap_bytes(const FilterRows& filter, bool two_sided) {
  const int chunks = padded_length(filter.length) / kChunk;
  return TapTable::bytes(two_sided ? chunks : 1, chunks) + 4 * filter.copied_floats();
}

/// As many blocks as run side by side, or one for each of `shares`.
template <class Kernel, class... Args>
void launch(Kernel kernel, std::int64_t shares, int bytes, cudaStream_t stream,
            const Args&... args) {
  LONGCONV_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  int blocks = 0;  // of a multiprocessor
  LONGCONV_CUDA_CHECK(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, kThreads, bytes));
  const std::int64_t grid =
      std::min<std::int64_t>(shares, std::int64_t{blocks} * multiprocessors());
  kernel<<<static_cast<unsigned>(grid), kThreads, bytes, stream>>>(args...);
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

}  // namespace longconv::kernels::cuda::toeplitz
