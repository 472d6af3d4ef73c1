// One live process per run folder: a lock file that the kernel releases when its holder dies.
#pragma once

#include <filesystem>

namespace longconv::files {

/// Holds an flock(2) on `path`, which names the holder ("pid 4711", "host a"), until destruction or
/// the death of the process, however it comes. A file left behind by a dead process locks nobody
/// out. Threads of one process exclude each other too. Move-less, copy-less.
class LockFile {
 public:
  /// Throws EnvironmentError: naming pid and host if a live process holds the lock, else with the
  /// system's words (folder missing or unwritable, a file system without locks).
  explicit LockFile(std::filesystem::path path);
  /// Removes the file and lets go.
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  int owner_ = 0;  // pid: a forked child inherits the descriptor, but must not remove the file
};

}  // namespace longconv::files
