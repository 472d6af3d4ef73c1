// The long convolution beside its floor: the row that long_conv() chooses and the row torch_fft, at
// any shapes, forward and backward, with errors. `longconv bench conv` prints what this returns.
#pragma once

#include "core/kernels/long_conv.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::bench {

struct ConvBenchOptions {
  std::vector<std::int64_t> lengths = {256, 1024, 4096, 8192, 16384, 32768};  ///< time steps
  std::int64_t batch = 64;
  std::int64_t channels = 768;
  c10::Device device = c10::Device(c10::kCPU);
  c10::ScalarType dtype = c10::ScalarType::Float;  ///< of u and y: f64, f32, bf16, f16
  std::int64_t repeats = 20;
  bool gate_in = false;      ///< a gate on u
  bool gate_out = false;     ///< a gate on y
  bool skip = true;          ///< the per-channel skip
  std::int64_t filters = 1;  ///< C, filters a channel
  kernels::ConvMode mode = kernels::ConvMode::causal;
};

/// The published comparison: 256 to 32,768 steps, 64 sequences, 768 channels, bf16, no gates, no
/// skip.
ConvBenchOptions paper_preset();

/// The fastest of the other implementations at a length of the preset, milliseconds; their filter's
/// transform is inside the forward time.
struct PeerTime {
  std::int64_t length;
  double forward_ms;
  double backward_ms;
};
/// Of NVIDIA's subquadratic-ops 0.3.1, FlashFFTConv b877102 and cuDNN 9.28, one NVIDIA H200,
/// 2026-11-22; nullptr for lengths that were not measured.
const PeerTime* best_peer(std::int64_t length);

/// One row at one length. The filter's transform is inside the forward time. A floor is what the
/// call must move (each tensor once) at the copy rate measured on the same device.
struct ConvTiming {
  std::string row;
  bool chosen = false;  ///< what long_conv() would run
  std::int64_t length = 0;
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::string dtype;
  bool gated = false;          ///< both gates
  bool out_of_memory = false;  ///< the row does not fit this device at this shape: no times
  double forward_ms = 0.0;
  double backward_ms = 0.0;
  double forward_floor_ms = 0.0;
  double backward_floor_ms = 0.0;
  double forward_gbps = 0.0;  ///< bytes of the floor over the time, GB/s (1e9)
  double backward_gbps = 0.0;
  double copy_gbps = 0.0;       ///< the measured ceiling
  double relative_error = 0.0;  ///< of y, L2, against torch_fft in float64 (whose own is 0 here)
  double relative_gradient_error = 0.0;  ///< of du, likewise
};

/// Rows of all lengths, shortest first. Throws longconv::Error; c10's out-of-memory error passes.
std::vector<ConvTiming> bench_long_conv(const ConvBenchOptions& options);

}  // namespace longconv::bench
