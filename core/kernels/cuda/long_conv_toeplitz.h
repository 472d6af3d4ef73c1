// The long convolution as a Toeplitz product on tensor cores, for short bf16 and fp16 tensors
// (toeplitz_tile.cuh and toeplitz_product.cuh say how). Rows of the table in
// core/kernels/long_conv.h.
#pragma once

#include "core/kernels/long_conv.h"

namespace longconv::kernels::cuda {

/// From here on a transform costs less than L^2 / 2 products: a row of 1,024 by the ring is faster.
inline constexpr std::int64_t kToeplitzMaxLength = 512;

/// Every mode, one filter a channel, any B, H and K, L up to kToeplitzMaxLength; from sm_80 on.
/// Deterministic; a row's bits do not depend on its batch.
void toeplitz_forward_bf16(const LongConvArgs& args, Stream stream);
void toeplitz_forward_f16(const LongConvArgs& args, Stream stream);
void toeplitz_backward_bf16(const LongConvGradArgs& args, Stream stream);
void toeplitz_backward_f16(const LongConvGradArgs& args, Stream stream);

}  // namespace longconv::kernels::cuda
