#include "core/files/mapped_file.h"

#include "core/base/error.h"
#include "core/files/system_words.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace longconv::files {
namespace {

/// Closes the descriptor when the constructor is left, by whichever door: the mapping outlives it.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

void advise(const std::byte* data, std::size_t size, int advice) {
  // Advice only: a kernel that does not take it changes the speed, not the result.
  if (data != nullptr) ::madvise(const_cast<std::byte*>(data), size, advice);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) throw DataError(system_words(path, "cannot open", errno));
  struct stat status {};
  if (::fstat(file.value, &status) != 0) throw DataError(system_words(path, "cannot stat", errno));
  if (!S_ISREG(status.st_mode)) {
    throw DataError(fmt::format("{}: expected a file, found {}", path.string(),
                                S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  }
  if (status.st_size == 0) return;  // mmap refuses length 0; an empty span says the same
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const mapping = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.value, 0);
  if (mapping == MAP_FAILED) throw DataError(system_words(path, "cannot map", errno));
  data_ = static_cast<const std::byte*>(mapping);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::advise_random() const { advise(data_, size_, MADV_RANDOM); }
void MappedFile::advise_sequential() const { advise(data_, size_, MADV_SEQUENTIAL); }

void MappedFile::release(std::span<const std::byte> part) const {
  // Whole pages inside the part only; its neighbours' may be in use.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + part.size()) / page * page;
  if (begin < end) advise(data_ + begin, end - begin, MADV_DONTNEED);
}

MappedFile map_weights(const std::filesystem::path& path) {
  try {
    return MappedFile(path);
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
}

}  // namespace longconv::files
