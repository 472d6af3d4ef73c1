// Where a folder is made before it gets its name.
#pragma once

#include <filesystem>

namespace longconv::data {

/// "<out>.tmp-<pid>" beside `out`: not created here, removed with all that is in it at the end.
/// What killed processes left under such a name is removed first; what a living one has is left
/// alone.
class TemporaryFolder {
 public:
  /// `out` is absolute and has a name.
  explicit TemporaryFolder(const std::filesystem::path& out);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace longconv::data
