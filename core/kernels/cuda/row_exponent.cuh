// The power of two that scales a row into fp16.
#pragma once

namespace longconv::kernels::cuda {

/// Exponent of the largest element: floor(log2(amax)), at least -100 so that its inverse is a float
/// (zero rows too). Rows with an infinity get kUnscaled, so that it comes through; nan does.
template <int kUnscaled>
__device__ inline int row_exponent(float amax) {
  if (isinf(amax)) return kUnscaled;
  return max(static_cast<int>((__float_as_uint(amax) >> 23) & 0xFF) - 127, -100);
}

}  // namespace longconv::kernels::cuda
