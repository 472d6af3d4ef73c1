#include "core/runtime/device.h"

#include "core/base/check.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <sys/resource.h>
#ifdef LONGCONV_WITH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

#include <charconv>
#include <optional>

namespace longconv::runtime {
namespace {

#ifdef LONGCONV_WITH_CUDA
int gpu_count() { return c10::cuda::device_count(); }

/// Why there is no GPU, in CUDA's own words.
std::string why_no_gpu() {
  try {
    c10::cuda::device_count_ensure_non_zero();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "CUDA counts no device";
}
#else
int gpu_count() { return 0; }
std::string why_no_gpu() { return "this program was built without CUDA"; }
#endif

/// "cuda" -> 0, "cuda:3" -> 3, anything else -> nothing.
std::optional<int> gpu_index(const std::string& word) {
  if (word == "cuda") {
    return 0;
  }
  constexpr std::string_view kPrefix = "cuda:";
  if (!word.starts_with(kPrefix)) {
    return std::nullopt;
  }
  int index = -1;
  const char* end = word.data() + word.size();
  const auto result = std::from_chars(word.data() + kPrefix.size(), end, index);
  const bool whole = result.ec == std::errc() && result.ptr == end && index >= 0;
  return whole ? std::optional<int>(index) : std::nullopt;
}

}  // namespace

c10::Device choose_device(const std::string& word) {
  if (word == "cpu" || (word == "auto" && gpu_count() == 0)) {
    return c10::Device(c10::kCPU);
  }
  if (word == "auto") {
    return c10::Device(c10::kCUDA, 0);
  }
  const std::optional<int> index = gpu_index(word);
  LONGCONV_CHECK(index.has_value(), EnvironmentError,
                 "device \"{}\": expected auto, cpu, cuda or cuda:N", word);
  const int count = gpu_count();
  LONGCONV_CHECK(count > 0, EnvironmentError,
                 "device \"{}\": there is no GPU: {}; choose cpu or auto", word, why_no_gpu());
  LONGCONV_CHECK(*index < count, EnvironmentError,
                 "device \"{}\": there {} {} GPU{}; choose cuda:0 .. cuda:{}", word,
                 count == 1 ? "is" : "are", count, count == 1 ? "" : "s", count - 1);
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(*index));
}

std::string device_name(c10::Device device) {
#ifdef LONGCONV_WITH_CUDA
  if (device.is_cuda()) {
    cudaDeviceProp properties{};
    const auto index =
        static_cast<int>(device.has_index() ? device.index() : c10::cuda::current_device());
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
    return properties.name;
  }
#endif
  return device.is_cpu() ? "CPU" : device.str();
}

void seed_everything(std::uint64_t seed) { at::manual_seed(seed); }

Autocast::Autocast(c10::Device device, const std::string& precision)
    : device_(device), active_(precision == "bf16") {
  if (!active_) {
    return;
  }
  before_ = at::autocast::is_autocast_enabled(device_.type());
  dtype_before_ = at::autocast::get_autocast_dtype(device_.type());
  at::autocast::set_autocast_enabled(device_.type(), true);
  at::autocast::set_autocast_dtype(device_.type(), at::kBFloat16);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!active_) {
    return;
  }
  if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();
  }
  at::autocast::set_autocast_enabled(device_.type(), before_);
  at::autocast::set_autocast_dtype(device_.type(), dtype_before_);
}

c10::ScalarType parameter_dtype(const std::string& precision) {
  return precision == "float64" ? at::kDouble : at::kFloat;
}

std::uint64_t peak_memory(c10::Device device) {
#ifdef LONGCONV_WITH_CUDA
  if (device.is_cuda()) {
    using c10::CachingAllocator::StatType;
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(
        device.has_index() ? device.index() : c10::cuda::current_device());
    const auto all = static_cast<std::size_t>(StatType::AGGREGATE);
    return static_cast<std::uint64_t>(stats.allocated_bytes[all].peak);
  }
#endif
  (void)device;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  constexpr std::uint64_t kBytesPerUnit = 1024;  // Linux counts ru_maxrss in KiB
  return static_cast<std::uint64_t>(usage.ru_maxrss) * kBytesPerUnit;
}

void synchronize(c10::Device device) {
#ifdef LONGCONV_WITH_CUDA
  if (device.is_cuda()) {
    const c10::cuda::OptionalCUDAGuard guard(device);
    c10::cuda::device_synchronize();
  }
#endif
  (void)device;
}

}  // namespace longconv::runtime
