// The implicit filter on tensor cores, fused from features to window, and its backward pass.
// Needs sm_80. Errors: CudaError.
#pragma once

#include "core/kernels/implicit_filter.h"

namespace longconv::kernels::cuda {

void implicit_filter_forward(const ImplicitFilterArgs& args, Stream stream);
void implicit_filter_backward(const ImplicitFilterGradArgs& args, Stream stream);
std::int64_t implicit_filter_workspace_bytes(const ImplicitFilterGradArgs& args);

}  // namespace longconv::kernels::cuda
