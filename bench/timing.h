// How long a call takes: CUDA events on a GPU (what the device does, not what the host waits), the
// steady clock on a CPU; after a warm-up, the median of the repeats, over rotated buffers so that
// the last-level cache is cold.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace longconv::bench {

/// Measures one stretch of work at a time on the device's current stream.
class Stopwatch {
 public:
  explicit Stopwatch(c10::Device device);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  void start();
  /// Milliseconds since start(); waits for the device. Throws CudaError.
  double stop_ms();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct TimingOptions {
  std::int64_t warm_up = 3;   ///< calls that are not counted: plans, allocations, clocks
  std::int64_t repeats = 20;  ///< calls that are
};

/// The median of `repeats` calls, in milliseconds; call(i) gets 0, 1, 2, ... to rotate buffers by.
double median_ms(c10::Device device, const std::function<void(std::int64_t)>& call,
                 const TimingOptions& options);

/// How many sets of buffers of `bytes` each are twice the last-level cache: 1 .. 16.
std::int64_t buffers_for_cold_cache(c10::Device device, std::int64_t bytes);

/// Bytes read plus written per second by a large copy, in GB/s (1e9): the ceiling that floors are
/// computed from. Measured at each call.
double measure_copy_gbps(c10::Device device);

}  // namespace longconv::bench
