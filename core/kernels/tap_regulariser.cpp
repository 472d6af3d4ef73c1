#include "core/kernels/tap_regulariser.h"

#include "core/kernels/cpu/tap_regulariser.h"
#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/tap_regulariser.h"
#endif

namespace longconv::kernels {
namespace {

constexpr TapRegulariserVariant kVariants[] = {
    // clang-format off
    // name           device        dtype       forward, backward
    {"cpu_row_f64",   Device::cpu,  Dtype::f64, &cpu::tap_regulariser_forward<double>, &cpu::tap_regulariser_backward<double>},
    {"cpu_row_f32",   Device::cpu,  Dtype::f32, &cpu::tap_regulariser_forward<float>,  &cpu::tap_regulariser_backward<float>},
#ifdef LONGCONV_WITH_CUDA
    {"cuda_pass_f64", Device::cuda, Dtype::f64, &cuda::tap_regulariser_forward_f64,    &cuda::tap_regulariser_backward_f64},
    {"cuda_pass_f32", Device::cuda, Dtype::f32, &cuda::tap_regulariser_forward_f32,    &cuda::tap_regulariser_backward_f32},
#endif
    // clang-format on
};

}  // namespace

std::span<const TapRegulariserVariant> tap_regulariser_variants() { return kVariants; }

}  // namespace longconv::kernels
