#include "core/files/lock_file.h"

#include "core/base/error.h"
#include "core/files/system_words.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace longconv::files {
namespace {

/// "pid 4711, host a" from the lock file's lines; it may be empty while its holder starts.
std::string holder(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
  if (got <= 0) return "pid unknown";
  std::string words(text.data(), static_cast<std::size_t>(got));
  while (!words.empty() && words.back() == '\n') words.pop_back();
  for (std::size_t at = words.find('\n'); at != std::string::npos; at = words.find('\n', at)) {
    words.replace(at, 1, ", ");
  }
  return words;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// False if the locked file is no longer the one at `path`: its last holder removed it meanwhile.
bool still_there(int descriptor, const std::filesystem::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

LockFile::LockFile(std::filesystem::path path) : path_(std::move(path)), owner_(::getpid()) {
  for (;;) {
    const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw EnvironmentError(system_words(path_, "cannot open the lock", errno));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string who = error == EWOULDBLOCK ? holder(descriptor) : "";
      ::close(descriptor);
      if (error == EINTR) continue;
      if (error != EWOULDBLOCK) throw EnvironmentError(system_words(path_, "cannot lock", error));
      throw EnvironmentError(
          fmt::format("{}: the folder is in use by a live process ({}); wait for it, stop it, or "
                      "choose another folder",
                      path_.string(), who));
    }
    if (still_there(descriptor, path_)) {
      descriptor_ = descriptor;
      break;
    }
    ::close(descriptor);
  }
  const std::string words = fmt::format("pid {}\nhost {}\n", owner_, host_name());
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, words.data(), words.size(), 0) != static_cast<ssize_t>(words.size())) {
    const int error = errno;
    ::unlink(path_.c_str());
    ::close(descriptor_);
    throw EnvironmentError(system_words(path_, "cannot write the lock", error));
  }
}

LockFile::~LockFile() {
  // Removed while still held, so that nobody can be holding the file that goes away.
  if (owner_ == ::getpid()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace longconv::files
