#include "core/kernels/implicit_filter.h"

#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/implicit_filter.h"
#endif

namespace longconv::kernels {

std::span<const ImplicitFilterVariant> implicit_filter_variants() {
#ifdef LONGCONV_WITH_CUDA
  static constexpr ImplicitFilterVariant kVariants[] = {
      // clang-format off
      // name              device        max E, F and sines                                      forward, backward, bytes of its workspace
      {"cuda_tile_tf32x3", Device::cuda, kMaxFilterFeatures, kMaxFilterWidth, kMaxSineLayers, &cuda::implicit_filter_forward, &cuda::implicit_filter_backward, &cuda::implicit_filter_workspace_bytes},
      // clang-format on
  };
  return kVariants;
#else
  return {};
#endif
}

}  // namespace longconv::kernels
