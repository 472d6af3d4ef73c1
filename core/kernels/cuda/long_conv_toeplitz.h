// The causal long convolution as a Toeplitz product on tensor cores, for bf16 and fp16 tensors of
// moderate length (long_conv_toeplitz.cu says how). Rows of the table in core/kernels/long_conv.h.
#pragma once

#include "core/kernels/long_conv.h"

namespace longconv::kernels::cuda {

/// Shared memory holds 16 rows of twice the length: the longest that fits an H100's 227 KB.
inline constexpr std::int64_t kToeplitzMaxLength = 2048;

/// Causal mode, one filter a channel, any B, H and K, L up to kToeplitzMaxLength. T is
/// __nv_bfloat16 or __half. Deterministic; a row's bits do not depend on its batch.
template <class T>
void toeplitz_forward(const LongConvArgs& args, Stream stream);
template <class T>
void toeplitz_backward(const LongConvGradArgs& args, Stream stream);

/// dk and dskip alone (long_conv_toeplitz_grad.cu).
template <class T>
void toeplitz_filter_gradient(const LongConvGradArgs& args, Stream stream);

}  // namespace longconv::kernels::cuda
