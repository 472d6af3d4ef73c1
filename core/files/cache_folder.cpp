#include "core/files/cache_folder.h"

#include <cstdlib>

namespace longconv::files {

std::filesystem::path cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (auto chosen = variable("LONGCONV_CACHE"); !chosen.empty()) return chosen;
  std::filesystem::path caches = variable("XDG_CACHE_HOME");
  if (caches.empty()) caches = variable("HOME") / ".cache";
  return caches / "longconv";
}

}  // namespace longconv::files
