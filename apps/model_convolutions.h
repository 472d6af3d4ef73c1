// The long convolutions of a model's forward pass, and the time of each alone: for `longconv bench
// model`.
#pragma once

#include "core/kernels/long_conv.h"
#include "train/config.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace longconv::apps {

/// Calls of a forward pass that are alike. One call has `filters` C filters for each channel: C
/// outputs of one transform of the input, not C convolutions.
struct ModelConvolution {
  std::int64_t count = 0;
  std::int64_t filters = 1;
  kernels::ConvMode mode = kernels::ConvMode::causal;
  bool gate_in = false;
  bool gate_out = false;
  bool learned = false;  ///< by learned butterflies (models.md 4.6), not by long_conv()
};

std::vector<ModelConvolution> convolutions_of(const models::ModelConfig& model);

/// Milliseconds of one such call, forward and backward, the filter's transform included: the median
/// of `repeats`, on `rows` random rows of data.seq_len steps.
double time_convolution(const ModelConvolution& convolution, const train::RunConfig& config,
                        std::int64_t rows, c10::Device device, std::int64_t repeats);

/// Milliseconds of each of `repeats` calls after a few to warm up, ascending.
std::vector<double> time_calls(std::int64_t repeats, c10::Device device,
                               const std::function<void()>& call);
inline constexpr int kWarmUpCalls = 3;

}  // namespace longconv::apps
