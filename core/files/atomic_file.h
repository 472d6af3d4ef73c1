// Files that appear whole or not at all: written to a temporary name, fsynced, renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::files {

/// Streams into "<path>.tmp-<pid>[.n]" beside `path`; commit() fsyncs the file, renames it over
/// `path` and fsyncs the folder. Destroyed without commit, it removes the temporary file; killed
/// before commit, it leaves the old `path` untouched. Move-less, copy-less.
class AtomicFile {
 public:
  /// Throws EnvironmentError (path, the system's words) if the folder is not writable, or if `path`
  /// names something that is no regular file (a folder, a device): a rename would destroy it.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends, through a small buffer; a full disk or any other failure throws EnvironmentError here
  /// or, for what is still buffered, in commit().
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Overwrites earlier bytes (headers whose counts are known at the end). A range that ends behind
  /// size() is a bug of the caller: std::logic_error.
  void write_at(std::size_t offset, std::span<const std::byte> bytes);
  /// Bytes written so far.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Makes the file visible under its name. After it, writing is std::logic_error.
  void commit();

 private:
  void flush();
  void write_all(const std::byte* data, std::size_t count, std::size_t offset);
  void check_open() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::size_t size_ = 0;           // buffered bytes included
  std::size_t writeback_ = 0;      // up to here the disk has been asked to write
  std::vector<std::byte> buffer_;  // the tail that no system call has seen yet
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
