// The long convolution of rows beyond 32,768 steps: the ring transform in three passes over a
// scratch of 40 MB (tensor_outer.cuh and ring_passes.cuh say how). Rows of the table in
// core/kernels/long_conv.h.
#pragma once

#include "core/kernels/long_conv.h"
#include "core/plan/long_plan.h"

namespace longconv::kernels::cuda {

inline constexpr std::int64_t kPassesMaxLength = std::int64_t{plan::kMaxLongOuter} * plan::kRing;

/// A shorter row would be one of 65,536 steps: LibTorch's FFT at its own length costs no more.
inline constexpr std::int64_t kPassesBestFrom = 24577;

/// Every mode, one filter a channel, any B, H and K; where ring_runs_here(), by the shared memory
/// of its blocks and its launches. Rows of up to 32,768 steps are taken too, as rows of 65,536.
/// Between the passes 16-bit tensors' values are fp16, a row scaled by a power of two.
/// Deterministic; a row's bits do not depend on its batch.
void passes_forward_bf16(const LongConvArgs& args, Stream stream);
void passes_forward_f16(const LongConvArgs& args, Stream stream);
void passes_forward_f32(const LongConvArgs& args, Stream stream);
void passes_backward_bf16(const LongConvGradArgs& args, Stream stream);
void passes_backward_f16(const LongConvGradArgs& args, Stream stream);
void passes_backward_f32(const LongConvGradArgs& args, Stream stream);

/// Bytes of the spectra of all channels' filters: M complex values of fp16 or float each, and a
/// scale.
std::int64_t passes_spectrum_bytes(const LongConvArgs& args);
void passes_filter_spectrum(const LongConvArgs& args, void* spectrum, Stream stream);

/// The scratch: at most about 40 MB, or what one row wants; backward, a channel's gradient besides.
std::int64_t passes_forward_workspace_bytes(const LongConvArgs& args);
std::int64_t passes_workspace_bytes(const LongConvGradArgs& args);

}  // namespace longconv::kernels::cuda
