// The long convolution through the ring transform (core/plan/ring_plan.h is the algebra), on tensor
// cores for bf16 and fp16 tensors, in float32 for float32 ones. Rows of the table in
// core/kernels/long_conv.h.
#pragma once

#include "core/kernels/long_conv.h"
#include "core/plan/ring_plan.h"

namespace longconv::kernels::cuda {

inline constexpr std::int64_t kRingMaxLength = std::int64_t{plan::kRing} * plan::kMaxOuter;

/// Whether the current device is a Hopper or later: blocks take up to 227 KB of shared memory and
/// clusters, mbarriers and st.async carry the backward pass. All of it compiles from sm_80 on.
bool ring_runs_here();

/// Any mode, any B, C, H and K, L up to kRingMaxLength, where ring_runs_here(). `args.spectrum` is
/// ring_filter_spectrum's. Deterministic; a row's bits do not depend on its batch. Several filters
/// a channel are run as that many channels; the gradients they share are summed from parts in the
/// tensors' dtype.
void ring_forward_bf16(const LongConvArgs& args, Stream stream);
void ring_forward_f16(const LongConvArgs& args, Stream stream);
void ring_forward_f32(const LongConvArgs& args, Stream stream);
void ring_backward_bf16(const LongConvGradArgs& args, Stream stream);
void ring_backward_f16(const LongConvGradArgs& args, Stream stream);
void ring_backward_f32(const LongConvGradArgs& args, Stream stream);

/// `args.workspace` of the backward call: the filter's gradient in frequency, float complex, M
/// values a filter and part of the batch; with several filters a channel, the parts of du,
/// dgate_in and dgate_out, those that are wanted.
std::int64_t ring_workspace_bytes(const LongConvGradArgs& args);      // 16 bits
std::int64_t ring_workspace_bytes_f32(const LongConvGradArgs& args);  // float32

}  // namespace longconv::kernels::cuda
