// Every CUDA call and launch goes through LONGCONV_CUDA_CHECK.
#pragma once

#include "core/base/error.h"

#include <cuda_runtime_api.h>

#include <string>

namespace longconv::kernels::cuda {

/// Throws CudaError "file:line: call: CUDA's words (name)" unless `status` is success.
inline void check(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaSuccess) {
    // No fmt here: it does not compile under nvcc at C++20.
    throw CudaError(std::string(file) + ":" + std::to_string(line) + ": " + call + ": " +
                    cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")");
  }
}

}  // namespace longconv::kernels::cuda

/// LONGCONV_CUDA_CHECK(cudaMemsetAsync(...)); after a launch:
/// LONGCONV_CUDA_CHECK(cudaGetLastError()).
#define LONGCONV_CUDA_CHECK(call) \
  ::longconv::kernels::cuda::check((call), #call, __FILE__, __LINE__)
