// Real data that scripts/data_sets unpacks from Debian packages into the cache.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace longconv::test {

/// The folder of one of the sets; it is not there where the script has not run.
inline std::filesystem::path data_set(const char* name) {
  namespace fs = std::filesystem;
  const auto variable = [](const char* of) {
    const char* value = std::getenv(of);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return fs::path(value == nullptr ? "" : value);
  };
  fs::path cache = variable("LONGCONV_CACHE");
  if (cache.empty()) {
    fs::path caches = variable("XDG_CACHE_HOME");
    if (caches.empty()) caches = variable("HOME") / ".cache";
    cache = caches / "longconv";
  }
  return cache / "data_sets" / name;
}

}  // namespace longconv::test

/// Skips the test, with the reason, where `folder` is not there.
#define LONGCONV_NEEDS_DATA_SET(folder)                               \
  do {                                                                \
    if (!std::filesystem::exists(folder)) {                           \
      GTEST_SKIP() << (folder) << " is not there: scripts/data_sets"; \
    }                                                                 \
  } while (false)
