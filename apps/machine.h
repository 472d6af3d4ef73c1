// What this machine offers, looked up without LibTorch and without linking the CUDA driver: both
// `doctor` and error messages must work where they are missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace longconv::apps {

struct Gpu {
  std::string name;
  int major = 0;  ///< compute capability
  int minor = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< 0 if the driver did not say
};

/// The NVIDIA driver, as libcuda.so.1 (opened at run time) and /proc describe it.
struct Driver {
  bool present = false;
  std::string version;   ///< of the kernel module, e.g. "580.82.07"; empty if unknown
  int cuda_version = 0;  ///< newest CUDA it supports, e.g. 13000 for 13.0
  std::string error;     ///< why there is no driver or no GPU
  std::vector<Gpu> gpus;
};
Driver find_driver();

struct Cpu {
  std::string model;
  unsigned cores = 0;    ///< this process may use
  double quota = 0.0;    ///< cores the container grants; 0 = no limit
  std::string features;  ///< "sse4.2 avx2 fma"
  bool avx2 = false;
};
Cpu find_cpu();

struct Memory {
  std::uint64_t total_bytes = 0;      ///< of the machine, or the container's limit
  std::uint64_t available_bytes = 0;  ///< without swapping
};
Memory find_memory();

/// A folder on disk: what is free there and whether we may write.
struct Disk {
  std::filesystem::path folder;  ///< the nearest one that exists
  std::uint64_t free_bytes = 0;
  bool writable = false;
};
Disk find_disk(const std::filesystem::path& folder);

/// A library that this process has loaded.
struct Library {
  std::string name;
  std::string version;  ///< empty = not loaded
};
std::vector<Library> find_libraries();

/// "13.5 GiB"
std::string show_bytes(std::uint64_t bytes);

}  // namespace longconv::apps
