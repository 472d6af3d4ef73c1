// Files that appear whole or not at all: written to a temporary name, fsynced, renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace longconv::files {

/// Streams into "<path>.tmp-<pid>"; commit() fsyncs the file, renames it over `path` and fsyncs the
/// folder. Destroyed without commit, it removes the temporary file. Move-less, copy-less.
class AtomicFile {
 public:
  /// Throws EnvironmentError (path, the system's words) if the folder is not writable.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends; throws EnvironmentError on a full disk or any other failure.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Overwrites earlier bytes (headers whose counts are known at the end).
  void write_at(std::size_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::size_t size() const { return size_; }
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

/// Writes all of `bytes` (or `text`) to `path` atomically. Throws EnvironmentError.
void write_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_atomic(const std::filesystem::path& path, std::string_view text);

/// fsync of a folder, so that a rename in it is durable. Throws EnvironmentError.
void sync_folder(const std::filesystem::path& folder);

/// Reads a whole small file as text. Throws DataError; also when it is larger than `max_bytes`.
std::string read_text(const std::filesystem::path& path, std::size_t max_bytes = 256UL << 20);

/// Creates the folder and its parents. Throws EnvironmentError with the system's words.
void create_folders(const std::filesystem::path& folder);

}  // namespace longconv::files
