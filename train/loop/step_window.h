// Losses and gradient norms of recent steps, left on the device until someone asks, so that a step
// never waits for the GPU.
#pragma once

#include "train/checkpoint/state.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace longconv::train {

class StepWindow {
 public:
  /// Notes step `step` (from 1); both are scalars on one device. Collects by itself every 1,024.
  void add(std::int64_t step, const at::Tensor& loss, const at::Tensor& grad_norm);
  /// Brings everything to the host (waits for the device). Throws NonFiniteError naming the first
  /// step whose loss or gradient norm is nan or infinite, and what to try.
  void collect();
  /// Steps collected since clear().
  [[nodiscard]] const std::vector<StepRecord>& records() const { return records_; }
  void restore(std::vector<StepRecord> records) { records_ = std::move(records); }
  void clear() { records_.clear(); }

 private:
  std::vector<StepRecord> records_;
  std::vector<std::int64_t> pending_steps_;
  std::vector<at::Tensor> pending_;  ///< loss, norm, loss, norm, ...
};

}  // namespace longconv::train
