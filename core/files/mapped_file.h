// A whole file, mapped read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace longconv::files {

/// Maps a file for reading; unmaps on destruction. Move-only. An empty file maps to an empty span.
/// A file that shrinks while it is mapped makes later reads fault, so nothing may truncate it.
class MappedFile {
 public:
  /// Throws DataError with the path and the system's words if it cannot be opened or mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Tells the kernel that access will be random (loaders) or sequential (checks).
  void advise_random() const;
  void advise_sequential() const;
  /// Gives the pages of `part`, a part of bytes(), back: a reader that has copied them does not
  /// hold them twice. Reading them again brings them back.
  void release(std::span<const std::byte> part) const;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The same of a file of weights: CheckpointError, in the same words, where DataError would come.
MappedFile map_weights(const std::filesystem::path& path);

}  // namespace longconv::files
