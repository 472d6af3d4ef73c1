// The causal long convolution as a Toeplitz product on tensor cores, for bf16 and fp16 tensors of
// moderate length (long_conv_toeplitz.cu says how). Rows of the table in core/kernels/long_conv.h.
#pragma once

#include "core/kernels/long_conv.h"

namespace longconv::kernels::cuda {

/// Shared memory holds 16 rows of twice the length: the longest that fits an H100's 227 KB.
inline constexpr std::int64_t kToeplitzMaxLength = 2048;

/// Causal mode, one filter a channel, any B, H and K, L up to kToeplitzMaxLength; from sm_80 on.
/// Deterministic; a row's bits do not depend on its batch.
void toeplitz_forward_bf16(const LongConvArgs& args, Stream stream);
void toeplitz_forward_f16(const LongConvArgs& args, Stream stream);
void toeplitz_backward_bf16(const LongConvGradArgs& args, Stream stream);
void toeplitz_backward_f16(const LongConvGradArgs& args, Stream stream);

/// dk and dskip alone, for T = __nv_bfloat16 and __half (long_conv_toeplitz_grad.cu).
template <class T>
void toeplitz_filter_gradient(const LongConvGradArgs& args, Stream stream);

}  // namespace longconv::kernels::cuda
