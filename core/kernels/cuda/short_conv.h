// The short convolution on NVIDIA GPUs (any from sm_80 on): tiles of 64 channels go through shared
// memory, so that reads and writes are coalesced whichever of u's dimensions is the fastest.
#pragma once

#include "core/kernels/short_conv.h"

namespace longconv::kernels::cuda {

void short_conv_forward_f32(const ShortConvArgs& args, Stream stream);
void short_conv_forward_bf16(const ShortConvArgs& args, Stream stream);
void short_conv_forward_f16(const ShortConvArgs& args, Stream stream);

void short_conv_backward_f32(const ShortConvGradArgs& args, Stream stream);
void short_conv_backward_bf16(const ShortConvGradArgs& args, Stream stream);
void short_conv_backward_f16(const ShortConvGradArgs& args, Stream stream);

/// Partial sums of dw and dbias, one set a block: float [B * ceil(L / 512), K + 1, C].
std::int64_t short_conv_workspace_bytes(const ShortConvArgs& args);

}  // namespace longconv::kernels::cuda
