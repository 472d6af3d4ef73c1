// Layer normalisation on a GPU, a row a warp. Errors: CudaError.
#pragma once

#include "core/kernels/layer_norm.h"

namespace longconv::kernels::cuda {

void layer_norm_forward_f32(const LayerNormArgs& args, Stream stream);
void layer_norm_forward_bf16(const LayerNormArgs& args, Stream stream);
void layer_norm_forward_f16(const LayerNormArgs& args, Stream stream);
void layer_norm_backward_f32(const LayerNormGradArgs& args, Stream stream);
void layer_norm_backward_bf16(const LayerNormGradArgs& args, Stream stream);
void layer_norm_backward_f16(const LayerNormGradArgs& args, Stream stream);
std::int64_t layer_norm_workspace_bytes(const LayerNormArgs& args);

}  // namespace longconv::kernels::cuda
