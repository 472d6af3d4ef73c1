#include "tests/core/ops/device.h"

#ifdef LONGCONV_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace longconv::testing {

Device test_device() { return Device::cuda; }

std::string why_skipped() {
#ifdef LONGCONV_WITH_CUDA
  return c10::cuda::device_count() > 0 ? "" : "no GPU: CUDA counts no device";
#else
  return "built without CUDA";
#endif
}

}  // namespace longconv::testing
