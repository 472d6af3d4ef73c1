#include "train/report/append_file.h"

#include "core/base/error.h"
#include "core/files/system_words.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace longconv::train {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
  throw EnvironmentError(
      files::system_words(path, what, error) +
      "; free the disk or choose another run folder (run.dir), then start again");
}

}  // namespace

int open_append(const std::filesystem::path& path, bool must_be_new) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (must_be_new ? O_EXCL : 0);
  const int descriptor = ::open(path.c_str(), flags, 0666);
  if (descriptor < 0 && !(must_be_new && errno == EEXIST)) {
    fail(path, "cannot open for appending", errno);
  }
  return descriptor;
}

void append_whole(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  struct stat before {};
  if (::fstat(descriptor, &before) != 0) fail(path, "cannot read its size", errno);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count < 0 ? errno : ENOSPC;
      // Nothing better can be done if even this fails; readers ignore a half line at the end.
      if (done > 0 && ::ftruncate(descriptor, before.st_size) != 0) errno = 0;
      fail(path, "cannot append", error);
    }
    done += static_cast<std::size_t>(count);
  }
}

void sync_append(int descriptor, const std::filesystem::path& path) {
  // Pipes and some network file systems cannot be synced and say EINVAL.
  if (::fsync(descriptor) != 0 && errno != EINVAL) fail(path, "cannot sync to disk", errno);
}

void close_append(int descriptor) noexcept {
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace longconv::train
