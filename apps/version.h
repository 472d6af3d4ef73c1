// What this binary is: its version, commit, LibTorch and CUDA.
#pragma once

#include <string>

namespace longconv::apps {

struct Version {
  std::string version;     ///< "0.1.0"
  std::string commit;      ///< 12 digits, "-dirty" if the tree had changes, "unknown" without git
  std::string build_type;  ///< "Release", "Debug"
  std::string libtorch;    ///< "2.11.0"
  std::string cuda_archs;  ///< "90a-real", or empty for a CPU-only build
  [[nodiscard]] bool with_cuda() const { return !cuda_archs.empty(); }
};

Version version();

/// The text of `longconv --version`.
std::string version_text();

}  // namespace longconv::apps
