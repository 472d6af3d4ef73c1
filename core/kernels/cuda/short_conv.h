// The short convolution on NVIDIA GPUs (any from sm_80 on). Rows of time stream through 16 bytes a
// thread (short_conv_rows.cuh); where channels lie together, as a projection leaves them, tiles
// turn them on the way through shared memory (short_conv_tile.cuh). What must move, 16-bit, a point
// of (B, C, L): forward 2 bytes in and 2 out, backward 4 in and 2 out.
#pragma once

#include "core/kernels/short_conv.h"

namespace longconv::kernels::cuda {

void short_conv_forward_f32(const ShortConvArgs& args, Stream stream);
void short_conv_forward_bf16(const ShortConvArgs& args, Stream stream);
void short_conv_forward_f16(const ShortConvArgs& args, Stream stream);

void short_conv_backward_f32(const ShortConvGradArgs& args, Stream stream);
void short_conv_backward_bf16(const ShortConvGradArgs& args, Stream stream);
void short_conv_backward_f16(const ShortConvGradArgs& args, Stream stream);

/// Partial sums of dw and dbias, one set a block.
std::int64_t short_conv_workspace_bytes(const ShortConvArgs& args);

}  // namespace longconv::kernels::cuda
