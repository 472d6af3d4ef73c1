// What stands around the long convolution in a Hyena operator, beside its floor: the short
// convolution in both layouts, the fused pass over the projection, and the output projection.
// `longconv bench short` prints what this returns.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::bench {

struct ShortConvBenchOptions {
  std::vector<std::int64_t> lengths = {1024, 4096};  ///< time steps
  std::int64_t batch = 64;
  std::int64_t channels = 768;  ///< D; the projection, and the short convolution, have 3 D
  std::int64_t taps = 3;
  c10::Device device = c10::Device(c10::kCPU);
  c10::ScalarType dtype = c10::ScalarType::Float;  ///< of the signals: f64, f32, bf16, f16
  std::int64_t repeats = 20;
};

/// One row at one length. A floor is what the call must move (each tensor once) at the copy rate
/// measured on the same device; for the output projection, a matrix product, it is far below.
struct ShortConvTiming {
  std::string op;   ///< short_conv, short_conv_channels_last, short_conv_gate, output_projection
  std::string row;  ///< of the operator's table; transposed_linear or copy_and_linear
  std::int64_t length = 0;
  double forward_ms = 0.0;
  double backward_ms = 0.0;
  double forward_floor_ms = 0.0;
  double backward_floor_ms = 0.0;
  double copy_gbps = 0.0;  ///< the measured ceiling, GB/s (1e9)
};

/// All lengths, shortest first; at each every row that takes the dtype on the device. Throws
/// longconv::Error; c10's out-of-memory error passes.
std::vector<ShortConvTiming> bench_short_conv(const ShortConvBenchOptions& options);

}  // namespace longconv::bench
