// Statistics of tensors on disk, for `longconv inspect`. No LibTorch: the bytes are read in place.
#pragma once

#include "core/files/safetensors.h"

#include <cstdint>

namespace longconv::apps {

/// Of all elements; minimum to deviation of the finite ones only.
struct TensorStatistics {
  std::int64_t elements = 0;
  std::int64_t nans = 0;
  std::int64_t infinities = 0;
  std::int64_t zeros = 0;
  double minimum = 0.0;
  double maximum = 0.0;
  double mean = 0.0;
  double deviation = 0.0;  ///< sqrt(E[x^2] - E[x]^2), by Welford's update
};
TensorStatistics statistics(const files::TensorView& tensor);

}  // namespace longconv::apps
