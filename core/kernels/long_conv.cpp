#include "core/kernels/long_conv.h"

#include "core/kernels/cpu/long_conv_direct.h"
#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/long_conv_passes.h"
#include "core/kernels/cuda/long_conv_ring.h"
#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#endif

#include <algorithm>

namespace longconv::kernels {
namespace {

// Direct sums cost L * min(K, L), transforms L log L and half a dozen passes through memory. Where
// they meet, one thread of an AMD EPYC (2026-11), B 4 H 96, forward / backward in ms, direct
// against torch_fft: float32 at 256 taps .96 / 2.2 against 1.00 / 2.5, at 512 17 / 32 against
// 2.8 / 7.3; float64 at 64 .20 / .44 against .27 / .47, at 128 .62 / 1.35 against .55 / .99.
constexpr std::int64_t kDirectTapsF32 = 256;
constexpr std::int64_t kDirectTapsF64 = 64;

[[maybe_unused]] constexpr bool kOnlyOneFilter = true;
[[maybe_unused]] constexpr bool kByTransform = true;

constexpr LongConvVariant kVariants[] = {
    // clang-format off
    // name             device       dtype        max L       best taps       forward, backward
    {"cpu_direct_f64",  Device::cpu, Dtype::f64,  kAnyLength, kDirectTapsF64, &cpu::direct_forward<double>, &cpu::direct_backward<double>},
    {"cpu_direct_f32",  Device::cpu, Dtype::f32,  kAnyLength, kDirectTapsF32, &cpu::direct_forward<float>,  &cpu::direct_backward<float>},
#ifdef LONGCONV_WITH_CUDA
    {"cuda_toeplitz_bf16", Device::cuda, Dtype::bf16, cuda::kToeplitzMaxLength, kAnyLength,    &cuda::toeplitz_forward_bf16, &cuda::toeplitz_backward_bf16, kOnlyOneFilter},
    {"cuda_toeplitz_f16",  Device::cuda, Dtype::f16,  cuda::kToeplitzMaxLength, kAnyLength,    &cuda::toeplitz_forward_f16,  &cuda::toeplitz_backward_f16,  kOnlyOneFilter},
    {"cuda_ring_bf16",     Device::cuda, Dtype::bf16, cuda::kRingMaxLength,     kAnyLength,    &cuda::ring_forward_bf16,     &cuda::ring_backward_bf16,     !kOnlyOneFilter, &cuda::ring_spectrum_bytes, &cuda::ring_filter_spectrum, &cuda::ring_workspace_bytes, kByTransform, &cuda::ring_runs_here},
    {"cuda_ring_f16",      Device::cuda, Dtype::f16,  cuda::kRingMaxLength,     kAnyLength,    &cuda::ring_forward_f16,      &cuda::ring_backward_f16,      !kOnlyOneFilter, &cuda::ring_spectrum_bytes, &cuda::ring_filter_spectrum, &cuda::ring_workspace_bytes, kByTransform, &cuda::ring_runs_here},
    {"cuda_ring_f32",      Device::cuda, Dtype::f32,  cuda::kRingMaxLength,     kAnyLength,    &cuda::ring_forward_f32,      &cuda::ring_backward_f32,      !kOnlyOneFilter, &cuda::ring_spectrum_bytes, &cuda::ring_filter_spectrum, &cuda::ring_workspace_bytes_f32, kByTransform, &cuda::ring_runs_here},
    {"cuda_passes_bf16", Device::cuda, Dtype::bf16, cuda::kPassesMaxLength,   kAnyLength,    &cuda::passes_forward_bf16,  &cuda::passes_backward_bf16,  kOnlyOneFilter, &cuda::passes_spectrum_bytes, &cuda::passes_filter_spectrum, &cuda::passes_workspace_bytes, kByTransform, &cuda::ring_runs_here, &cuda::passes_forward_workspace_bytes, cuda::kPassesBestFrom},
    {"cuda_passes_f16",  Device::cuda, Dtype::f16,  cuda::kPassesMaxLength,   kAnyLength,    &cuda::passes_forward_f16,   &cuda::passes_backward_f16,   kOnlyOneFilter, &cuda::passes_spectrum_bytes, &cuda::passes_filter_spectrum, &cuda::passes_workspace_bytes, kByTransform, &cuda::ring_runs_here, &cuda::passes_forward_workspace_bytes, cuda::kPassesBestFrom},
    {"cuda_passes_f32",  Device::cuda, Dtype::f32,  cuda::kPassesMaxLength,   kAnyLength,    &cuda::passes_forward_f32,   &cuda::passes_backward_f32,   kOnlyOneFilter, &cuda::passes_spectrum_bytes, &cuda::passes_filter_spectrum, &cuda::passes_workspace_bytes, kByTransform, &cuda::ring_runs_here, &cuda::passes_forward_workspace_bytes, cuda::kPassesBestFrom},
#endif
    // clang-format on
};

}  // namespace

std::span<const LongConvVariant> long_conv_variants() { return kVariants; }

bool takes(const LongConvVariant& variant, const LongConvShape& shape) {
  return variant.device == shape.device && variant.dtype == shape.dtype &&
         shape.length <= variant.max_length && (!variant.only_one_filter || shape.filters == 1) &&
         (variant.runs_here == nullptr || variant.runs_here());
}

const LongConvVariant* find_long_conv(const LongConvShape& shape) {
  for (const LongConvVariant& row : kVariants) {
    if (takes(row, shape) && std::min(shape.length, shape.taps) <= row.best_taps &&
        shape.length >= row.best_from) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace longconv::kernels
