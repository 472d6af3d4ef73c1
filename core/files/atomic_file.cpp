#include "core/files/atomic_file.h"

#include "core/base/error.h"
#include "core/files/system_words.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace longconv::files {
namespace {

constexpr std::size_t kBufferBytes = 256UL << 10;
constexpr std::size_t kWritebackBytes = 8UL << 20;
constexpr int kTemporaryNames = 100;

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw EnvironmentError(fmt::format("{}: cannot write here: it is {}, not a file",
                                       path_.string(),
                                       S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  }
  // A name may be taken: by a process that died, by another thread, by the same pid on another
  // host.
  for (int n = 0; n < kTemporaryNames && descriptor_ < 0; ++n) {
    temporary_ = path_;
    temporary_ += fmt::format(".tmp-{}", ::getpid());
    if (n > 0) temporary_ += fmt::format(".{}", n);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) throw EnvironmentError(system_words(path_, "cannot write", errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::check_open() const {
  if (descriptor_ < 0) throw std::logic_error("AtomicFile: " + path_.string() + " is committed");
}

void AtomicFile::write_all(const std::byte* data, std::size_t count, std::size_t offset) {
  while (count > 0) {
    const ssize_t done = ::pwrite(descriptor_, data, count, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    // pwrite of a positive count returns 0 only where nothing more fits.
    if (done <= 0) {
      throw EnvironmentError(system_words(path_, "cannot write", done < 0 ? errno : ENOSPC));
    }
    const auto written = static_cast<std::size_t>(done);
    data += written;
    count -= written;
    offset += written;
  }
  // The disk begins while more is made, so that commit() has less to wait for. Only a hint.
  if (offset > writeback_ && offset - writeback_ >= kWritebackBytes) {
    ::sync_file_range(descriptor_, static_cast<off_t>(writeback_),
                      static_cast<off_t>(offset - writeback_), SYNC_FILE_RANGE_WRITE);
    writeback_ = offset;
  }
}

void AtomicFile::flush() {
  write_all(buffer_.data(), buffer_.size(), size_ - buffer_.size());
  buffer_.clear();
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  check_open();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() > kBufferBytes) {
    write_all(bytes.data(), bytes.size(), size_);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  size_ += bytes.size();
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::write_at(std::size_t offset, std::span<const std::byte> bytes) {
  check_open();
  if (offset > size_ || bytes.size() > size_ - offset) {
    throw std::logic_error("AtomicFile: write_at behind the end of " + path_.string());
  }
  flush();
  write_all(bytes.data(), bytes.size(), offset);
}

void AtomicFile::commit() {
  check_open();
  flush();
  if (::fsync(descriptor_) != 0) throw EnvironmentError(system_words(path_, "cannot sync", errno));
  // NFS and quotas may report a lost write only here; the destructor then removes the temporary.
  const int closed = ::close(std::exchange(descriptor_, -1));
  const int close_error = errno;
  if (closed != 0 && close_error != EINTR) {
    ::unlink(temporary_.c_str());
    throw EnvironmentError(system_words(path_, "cannot close", close_error));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw EnvironmentError(system_words(path_, "cannot rename into place", error));
  }
  sync_folder(folder_of(path_));
}

void write_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_atomic(const std::filesystem::path& path, std::string_view text) {
  write_atomic(path, std::as_bytes(std::span(text)));
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw EnvironmentError(system_words(folder, "cannot open", errno));
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // EINVAL: a file system that keeps no folders to sync (fsync(2)); there is nothing more to do.
  if (result != 0 && error != EINVAL) {
    throw EnvironmentError(system_words(folder, "cannot sync the folder", error));
  }
}

std::string read_text(const std::filesystem::path& path, std::size_t max_bytes) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw DataError(system_words(path, "cannot open", errno));
  std::string text;
  std::array<char, 64 << 10> chunk{};
  int error = 0;
  while (error == 0 && text.size() <= max_bytes) {
    const ssize_t got = ::read(descriptor, chunk.data(), chunk.size());
    if (got == 0) break;
    if (got > 0) {
      text.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  ::close(descriptor);
  if (error != 0) throw DataError(system_words(path, "cannot read", error));
  if (text.size() > max_bytes) {
    throw DataError(
        fmt::format("{}: expected at most {} bytes, the file is larger", path.string(), max_bytes));
  }
  return text;
}

void create_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw EnvironmentError(
        fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
  }
}

}  // namespace longconv::files
