// Launches of the float32 ring kernels, and what their files say to each other.
#pragma once

#include "core/kernels/cuda/long_conv_ring_filter.h"
#include "core/kernels/cuda/ring_f32.cuh"
#include "core/kernels/cuda/ring_launch.h"

namespace longconv::kernels::cuda {

struct FloatBackwardArgs {
  ApplyArgs<float> dv;     // of dw: out du and dgate_in
  ApplyArgs<float> dgate;  // of v: out dgate_out
  RingGradient out;
  const float2* spectrum;
};

/// du, the gates' gradients and the filter's, in frequency (long_conv_ring_f32_grad.cu).
void float_backward(const FloatBackwardArgs& args, Stream stream);

/// Blocks of a cluster that hold a row of R rings.
constexpr int row_blocks(int r) { return r <= 8 ? 1 : r / 8; }

/// A launch of `kernel` in clusters of Shape::kBlocks, where there is more than one.
template <class Shape>
struct ClusterLaunch {
  cudaLaunchConfig_t config = {};
  cudaLaunchAttribute attribute = {};

  template <class Kernel>
  ClusterLaunch(Kernel* kernel, dim3 grid, cudaStream_t stream) {
    LONGCONV_CUDA_CHECK(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::kBytes));
    LONGCONV_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                             cudaSharedmemCarveoutMaxShared));
    config.gridDim = grid;
    config.blockDim = dim3(Shape::kThreads);
    config.dynamicSmemBytes = Shape::kBytes;
    config.stream = stream;
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {Shape::kBlocks, 1, 1};
    if constexpr (Shape::kBlocks > 1) {
      config.attrs = &attribute;
      config.numAttrs = 1;
    }
  }
  ClusterLaunch(const ClusterLaunch&) = delete;
  ClusterLaunch& operator=(const ClusterLaunch&) = delete;
};

}  // namespace longconv::kernels::cuda
