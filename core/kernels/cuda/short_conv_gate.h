// The projection's short convolution, split and first gate on NVIDIA GPUs (any from sm_80 on), by
// the tiles of short_conv_tile.cuh. What must move, 16-bit, a point of (B, D, L) and order 2:
// forward 6 bytes in and 4 out, backward 10 in and 6 out; at 4.3 TB/s and B 64 D 768 L 1K, 50.3M
// points, .117 and .187 ms.
#pragma once

#include "core/kernels/short_conv_gate.h"

namespace longconv::kernels::cuda {

void short_conv_gate_forward_f32(const ShortConvGateArgs& args, Stream stream);
void short_conv_gate_forward_bf16(const ShortConvGateArgs& args, Stream stream);
void short_conv_gate_forward_f16(const ShortConvGateArgs& args, Stream stream);

void short_conv_gate_backward_f32(const ShortConvGateGradArgs& args, Stream stream);
void short_conv_gate_backward_bf16(const ShortConvGateGradArgs& args, Stream stream);
void short_conv_gate_backward_f16(const ShortConvGateGradArgs& args, Stream stream);

/// Partial sums of dw and dbias, one set for 512 steps of a sequence.
std::int64_t short_conv_gate_workspace_bytes(const ShortConvGateArgs& args);

}  // namespace longconv::kernels::cuda
