#include "core/kernels/short_conv_gate.h"

#include "core/kernels/cpu/short_conv_gate.h"
#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/short_conv_gate.h"
#endif

namespace longconv::kernels {
namespace {

constexpr ShortConvGateVariant kVariants[] = {
    // clang-format off
    // name              device        dtype        forward, backward, bytes of its workspace
    {"cpu_row_f64",      Device::cpu,  Dtype::f64,  &cpu::short_conv_gate_forward<double>, &cpu::short_conv_gate_backward<double>, &cpu::short_conv_gate_workspace_bytes},
    {"cpu_row_f32",      Device::cpu,  Dtype::f32,  &cpu::short_conv_gate_forward<float>,  &cpu::short_conv_gate_backward<float>,  &cpu::short_conv_gate_workspace_bytes},
#ifdef LONGCONV_WITH_CUDA
    {"cuda_tile_f32",    Device::cuda, Dtype::f32,  &cuda::short_conv_gate_forward_f32,  &cuda::short_conv_gate_backward_f32,  &cuda::short_conv_gate_workspace_bytes},
    {"cuda_tile_bf16",   Device::cuda, Dtype::bf16, &cuda::short_conv_gate_forward_bf16, &cuda::short_conv_gate_backward_bf16, &cuda::short_conv_gate_workspace_bytes},
    {"cuda_tile_f16",    Device::cuda, Dtype::f16,  &cuda::short_conv_gate_forward_f16,  &cuda::short_conv_gate_backward_f16,  &cuda::short_conv_gate_workspace_bytes},
#endif
    // clang-format on
};

}  // namespace

std::span<const ShortConvGateVariant> short_conv_gate_variants() { return kVariants; }

}  // namespace longconv::kernels
