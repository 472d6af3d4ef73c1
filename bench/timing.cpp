#define AT_PER_OPERATOR_HEADERS
#include "bench/timing.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#ifdef LONGCONV_WITH_CUDA
#include "core/kernels/cuda/check.h"

#include <c10/cuda/CUDAStream.h>
#endif

#include <algorithm>
#include <chrono>
#include <vector>

namespace longconv::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMiB = 1 << 20;

std::int64_t last_level_cache_bytes(c10::Device device) {
#ifdef LONGCONV_WITH_CUDA
  if (device.is_cuda()) {
    int bytes = 0;
    LONGCONV_CUDA_CHECK(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize,
                                               device.has_index() ? device.index() : 0));
    return bytes;
  }
#endif
  (void)device;
  return 32 * kMiB;  // of one core complex of today's server processors
}

}  // namespace

struct Stopwatch::State {
  explicit State(c10::Device where) : device(where) {}
  c10::Device device;
  Clock::time_point begin;
#ifdef LONGCONV_WITH_CUDA
  cudaEvent_t events[2] = {};
#endif
};

Stopwatch::Stopwatch(c10::Device device) : state_(std::make_unique<State>(device)) {
#ifdef LONGCONV_WITH_CUDA
  if (device.is_cuda()) {
    for (cudaEvent_t& event : state_->events) {
      LONGCONV_CUDA_CHECK(cudaEventCreate(&event));
    }
  }
#endif
}

Stopwatch::~Stopwatch() {
#ifdef LONGCONV_WITH_CUDA
  for (cudaEvent_t event : state_->events) {
    if (event != nullptr) {
      cudaEventDestroy(event);  // a destructor may not throw, and nothing can be done
    }
  }
#endif
}

void Stopwatch::start() {
#ifdef LONGCONV_WITH_CUDA
  if (state_->device.is_cuda()) {
    const auto stream = c10::cuda::getCurrentCUDAStream(state_->device.index()).stream();
    LONGCONV_CUDA_CHECK(cudaEventRecord(state_->events[0], stream));
    return;
  }
#endif
  state_->begin = Clock::now();
}

double Stopwatch::stop_ms() {
#ifdef LONGCONV_WITH_CUDA
  if (state_->device.is_cuda()) {
    const auto stream = c10::cuda::getCurrentCUDAStream(state_->device.index()).stream();
    LONGCONV_CUDA_CHECK(cudaEventRecord(state_->events[1], stream));
    LONGCONV_CUDA_CHECK(cudaEventSynchronize(state_->events[1]));
    float ms = 0.0f;
    LONGCONV_CUDA_CHECK(cudaEventElapsedTime(&ms, state_->events[0], state_->events[1]));
    return static_cast<double>(ms);
  }
#endif
  return std::chrono::duration<double, std::milli>(Clock::now() - state_->begin).count();
}

double median_ms(c10::Device device, const std::function<void(std::int64_t)>& call,
                 const TimingOptions& options) {
  std::int64_t turn = 0;
  for (std::int64_t i = 0; i < options.warm_up; ++i) {
    call(turn++);
  }
  Stopwatch watch(device);
  std::vector<double> times;
  // A GPU gets work in front of each call, longer than the host takes to launch it: the time is the
  // device's own then, and it begins with a cold L2.
  at::Tensor in_front;
  if (device.is_cuda()) {
    in_front = at::empty({512 * kMiB}, at::TensorOptions().dtype(at::kByte).device(device));
  }
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, options.repeats); ++i) {
    if (in_front.defined()) {
      in_front.zero_();
      in_front.zero_();
    }
    watch.start();
    call(turn++);
    times.push_back(watch.stop_ms());
  }
  std::sort(times.begin(), times.end());
  const std::size_t middle = times.size() / 2;
  return times.size() % 2 == 1 ? times[middle] : 0.5 * (times[middle - 1] + times[middle]);
}

std::int64_t buffers_for_cold_cache(c10::Device device, std::int64_t bytes) {
  constexpr std::int64_t kMost = 16;
  const std::int64_t wanted = 2 * last_level_cache_bytes(device) / std::max<std::int64_t>(1, bytes);
  return std::clamp<std::int64_t>(wanted + 1, 1, kMost);
}

double measure_copy_gbps(c10::Device device) {
  // Well above any cache, and small beside a GPU's memory.
  const std::int64_t bytes = (device.is_cuda() ? 1024 : 256) * kMiB;
  const at::TensorOptions options = at::TensorOptions().dtype(at::kByte).device(device);
  const at::Tensor from = at::zeros({bytes}, options);
  at::Tensor to = at::empty({bytes}, options);
  const double ms = median_ms(device, [&](std::int64_t) { to.copy_(from); }, {});
  return 2.0 * static_cast<double>(bytes) / (ms * 1e-3) / 1e9;
}

}  // namespace longconv::bench
