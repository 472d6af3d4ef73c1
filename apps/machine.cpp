#include "apps/machine.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The value behind "key : value" in a file of /proc, or empty.
std::string proc_value(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return {};
}

/// A function of an open library, or nullptr.
template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

/// "580.82.07" out of "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Wed ...".
std::string kernel_module_version() {
  std::istringstream words(first_line("/proc/driver/nvidia/version"));
  for (std::string word; words >> word;) {
    const bool number = word.find_first_not_of("0123456789.") == std::string::npos;
    if (number && word.find('.') != std::string::npos) return word;
  }
  return {};
}

// The few functions of the driver API that doctor needs; their ABI has been stable since CUDA 4.
struct DriverApi {
  using Init = int(unsigned);
  using GetInt = int(int*);
  using GetDevice = int(int*, int);
  using GetName = int(char*, int, int);
  using GetTotal = int(std::size_t*, int);
  using GetAttribute = int(int*, int, int);
  static constexpr int kComputeMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
  static constexpr int kComputeMinor = 76;
};

Gpu describe_gpu(void* library, int index) {
  Gpu gpu;
  int device = 0;
  symbol<DriverApi::GetDevice>(library, "cuDeviceGet")(&device, index);
  std::array<char, 128> text{};
  symbol<DriverApi::GetName>(library, "cuDeviceGetName")(text.data(), text.size() - 1, device);
  gpu.name = text.data();
  std::size_t total = 0;
  symbol<DriverApi::GetTotal>(library, "cuDeviceTotalMem_v2")(&total, device);
  gpu.total_bytes = total;
  auto* attribute = symbol<DriverApi::GetAttribute>(library, "cuDeviceGetAttribute");
  attribute(&gpu.major, DriverApi::kComputeMajor, device);
  attribute(&gpu.minor, DriverApi::kComputeMinor, device);
  return gpu;
}

/// Free memory of each GPU from NVML, which needs no context (a context would take 500 MB).
void add_free_memory(std::vector<Gpu>& gpus) {
  const std::unique_ptr<void, int (*)(void*)> library(dlopen("libnvidia-ml.so.1", RTLD_NOW),
                                                      &dlclose);
  if (library == nullptr) return;
  struct MemoryInfo {
    unsigned long long total, free, used;
  };
  auto* init = symbol<int()>(library.get(), "nvmlInit_v2");
  auto* handle = symbol<int(unsigned, void**)>(library.get(), "nvmlDeviceGetHandleByIndex_v2");
  auto* info = symbol<int(void*, MemoryInfo*)>(library.get(), "nvmlDeviceGetMemoryInfo");
  auto* shutdown = symbol<int()>(library.get(), "nvmlShutdown");
  if (init == nullptr || handle == nullptr || info == nullptr || shutdown == nullptr) return;
  // CUDA_VISIBLE_DEVICES renumbers CUDA's devices but not NVML's: say nothing rather than mix them.
  if (std::getenv("CUDA_VISIBLE_DEVICES") != nullptr || init() != 0) return;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    void* device = nullptr;
    MemoryInfo memory{};
    if (handle(static_cast<unsigned>(i), &device) == 0 && info(device, &memory) == 0) {
      gpus[i].free_bytes = memory.free;
    }
  }
  shutdown();
}

/// Cores that the container's cgroup (version 2) grants, or 0.
double cgroup_cores() {
  std::istringstream words(first_line("/sys/fs/cgroup/cpu.max"));
  double quota = 0.0;
  double period = 0.0;
  return (words >> quota >> period) && period > 0.0 ? quota / period : 0.0;
}

std::uint64_t number_in(const fs::path& path) {
  const std::string text = first_line(path);
  return text.empty() || text == "max" ? 0 : std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace

Driver find_driver() {
  Driver driver;
  driver.version = kernel_module_version();
  // Never closed: the driver's own threads may outlive us.
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    driver.error = "libcuda.so.1 is not installed";
    return driver;
  }
  driver.present = true;
  auto* init = symbol<DriverApi::Init>(library, "cuInit");
  auto* version = symbol<DriverApi::GetInt>(library, "cuDriverGetVersion");
  auto* count = symbol<DriverApi::GetInt>(library, "cuDeviceGetCount");
  if (init == nullptr || version == nullptr || count == nullptr) {
    driver.error = "libcuda.so.1 lacks cuInit; it is not NVIDIA's driver library";
    return driver;
  }
  version(&driver.cuda_version);
  int gpus = 0;
  if (const int code = init(0); code != 0) {
    driver.error = fmt::format("cuInit failed with code {}", code);
  } else if (const int failed = count(&gpus); failed != 0) {
    driver.error = fmt::format("cuDeviceGetCount failed with code {}", failed);
  }
  for (int i = 0; i < gpus; ++i) driver.gpus.push_back(describe_gpu(library, i));
  add_free_memory(driver.gpus);
  return driver;
}

Cpu find_cpu() {
  Cpu cpu;
  cpu.model = proc_value("/proc/cpuinfo", "model name");
  cpu_set_t set;
  CPU_ZERO(&set);
  cpu.cores =
      sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 0U;
  cpu.quota = cgroup_cores();
#if defined(__x86_64__)
  const auto add = [&](bool has, const char* name) {
    if (!has) return;
    if (!cpu.features.empty()) cpu.features += ' ';
    cpu.features += name;
  };
  add(__builtin_cpu_supports("sse4.2") != 0, "sse4.2");
  add(__builtin_cpu_supports("avx2") != 0, "avx2");
  add(__builtin_cpu_supports("fma") != 0, "fma");
  add(__builtin_cpu_supports("avx512f") != 0, "avx512f");
  add(__builtin_cpu_supports("avx512bw") != 0, "avx512bw");
  cpu.avx2 = __builtin_cpu_supports("avx2") != 0;
#endif
  return cpu;
}

Memory find_memory() {
  const auto kib = [](const char* key) {
    return std::strtoull(proc_value("/proc/meminfo", key).c_str(), nullptr, 10) * 1024;
  };
  Memory memory{kib("MemTotal"), kib("MemAvailable")};
  const std::uint64_t limit = number_in("/sys/fs/cgroup/memory.max");
  if (limit > 0 && limit < memory.total_bytes) {
    const std::uint64_t used = number_in("/sys/fs/cgroup/memory.current");
    memory.total_bytes = limit;
    memory.available_bytes = std::min(memory.available_bytes, limit > used ? limit - used : 0);
  }
  return memory;
}

Disk find_disk(const fs::path& folder) {
  Disk disk;
  std::error_code error;
  disk.folder = fs::absolute(folder, error);
  while (!fs::exists(disk.folder, error) && disk.folder.has_relative_path()) {
    disk.folder = disk.folder.parent_path();
  }
  const fs::space_info space = fs::space(disk.folder, error);
  disk.free_bytes = error ? 0 : space.available;
  disk.writable = access(disk.folder.c_str(), W_OK) == 0;
  return disk;
}

std::vector<Library> find_libraries() {
  std::vector<Library> libraries;
  const auto integer = [&](const char* name, const char* function, auto show) {
    auto* get = symbol<int(int*)>(RTLD_DEFAULT, function);
    int version = 0;
    libraries.push_back({name, get != nullptr && get(&version) == 0 ? show(version) : ""});
  };
  const auto by_1000 = [](int v) { return fmt::format("{}.{}", v / 1000, v % 1000 / 10); };
  const auto by_fields = [](int v) {
    return fmt::format("{}.{}.{}", v / 10000, v % 10000 / 100, v % 100);
  };
  const auto cufft = [](int v) {
    return fmt::format("{}.{}.{}", v / 1000, v % 1000 / 100, v % 100);
  };
  integer("CUDA runtime", "cudaRuntimeGetVersion", by_1000);
  auto* cudnn = symbol<std::size_t()>(RTLD_DEFAULT, "cudnnGetVersion");
  const std::size_t v = cudnn == nullptr ? 0 : cudnn();
  libraries.push_back(
      {"cuDNN", v == 0 ? "" : fmt::format("{}.{}.{}", v / 10000, v % 10000 / 100, v % 100)});
  integer("NCCL", "ncclGetVersion", by_fields);
  integer("cuFFT", "cufftGetVersion", cufft);
  auto* zstd = symbol<const char*()>(RTLD_DEFAULT, "ZSTD_versionString");
  libraries.push_back({"zstd", zstd == nullptr ? "" : zstd()});
  auto* hdf5 = symbol<int(unsigned*, unsigned*, unsigned*)>(RTLD_DEFAULT, "H5get_libversion");
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  const bool known = hdf5 != nullptr && hdf5(&major, &minor, &release) >= 0;
  libraries.push_back({"HDF5", known ? fmt::format("{}.{}.{}", major, minor, release) : ""});
  return libraries;
}

std::string show_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace longconv::apps
