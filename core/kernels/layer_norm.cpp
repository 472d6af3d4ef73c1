#include "core/kernels/layer_norm.h"

#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/layer_norm.h"
#endif

namespace longconv::kernels {

std::span<const LayerNormVariant> layer_norm_variants() {
#ifdef LONGCONV_WITH_CUDA
  static constexpr LayerNormVariant kVariants[] = {
      // clang-format off
      // name            device        dtype of y   max D  forward, backward, bytes of its workspace
      {"cuda_warp_f32",  Device::cuda, Dtype::f32,  1024, &cuda::layer_norm_forward_f32,  &cuda::layer_norm_backward_f32,  &cuda::layer_norm_workspace_bytes},
      {"cuda_warp_bf16", Device::cuda, Dtype::bf16, 1024, &cuda::layer_norm_forward_bf16, &cuda::layer_norm_backward_bf16, &cuda::layer_norm_workspace_bytes},
      {"cuda_warp_f16",  Device::cuda, Dtype::f16,  1024, &cuda::layer_norm_forward_f16,  &cuda::layer_norm_backward_f16,  &cuda::layer_norm_workspace_bytes},
      // clang-format on
  };
  return kVariants;
#else
  return {};
#endif
}

}  // namespace longconv::kernels
