#include "core/kernels/short_conv.h"

#include "core/kernels/cpu/short_conv.h"
#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/short_conv.h"
#endif

namespace longconv::kernels {
namespace {

constexpr ShortConvVariant kVariants[] = {
    // clang-format off
    // name              device        dtype        forward, backward, bytes of its workspace
    {"cpu_tile_f64",     Device::cpu,  Dtype::f64,  &cpu::short_conv_forward<double>, &cpu::short_conv_backward<double>, &cpu::short_conv_workspace_bytes},
    {"cpu_tile_f32",     Device::cpu,  Dtype::f32,  &cpu::short_conv_forward<float>,  &cpu::short_conv_backward<float>,  &cpu::short_conv_workspace_bytes},
#ifdef LONGCONV_WITH_CUDA
    {"cuda_tile_f32",    Device::cuda, Dtype::f32,  &cuda::short_conv_forward_f32,  &cuda::short_conv_backward_f32,  &cuda::short_conv_workspace_bytes},
    {"cuda_tile_bf16",   Device::cuda, Dtype::bf16, &cuda::short_conv_forward_bf16, &cuda::short_conv_backward_bf16, &cuda::short_conv_workspace_bytes},
    {"cuda_tile_f16",    Device::cuda, Dtype::f16,  &cuda::short_conv_forward_f16,  &cuda::short_conv_backward_f16,  &cuda::short_conv_workspace_bytes},
#endif
    // clang-format on
};

}  // namespace

std::span<const ShortConvVariant> short_conv_variants() { return kVariants; }

const ShortConvVariant* find_short_conv(Device device, Dtype dtype) {
  for (const ShortConvVariant& row : kVariants) {
    if (row.device == device && row.dtype == dtype) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace longconv::kernels
