// How an evaluation goes through a split.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace longconv::train {

struct PassOptions {
  std::int64_t batch = 32;            ///< rows per forward pass
  std::int64_t max_batches = 0;       ///< 0 = the whole split
  std::string precision = "float32";  ///< train.precision
  c10::Device device = c10::kCPU;     ///< where the model is
};

}  // namespace longconv::train
