// Bytes that come in order: from memory, from a descriptor, or out of a zstd or gzip stream.
#pragma once

#include "core/files/hash.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills the beginning of `out` and returns how much, 0 only at the end. Throws DataError with
  /// the source's name and, for damaged compressed data, the offset in the compressed file.
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /// For messages.
  [[nodiscard]] virtual const std::string& name() const = 0;
};

/// A file as it is. Throws DataError (path, the system's words) if it cannot be opened.
std::unique_ptr<ByteSource> file_bytes(const std::filesystem::path& path);
/// The process's standard input, named "<stdin>".
std::unique_ptr<ByteSource> standard_input();
/// `bytes` must outlive the source.
std::unique_ptr<ByteSource> memory_bytes(std::span<const std::byte> bytes, std::string name);
/// Decompresses: any number of zstd frames one after another, windows up to 1 GiB.
std::unique_ptr<ByteSource> zstd_bytes(std::unique_ptr<ByteSource> compressed);
/// Decompresses: any number of gzip members one after another, as `cat a.gz b.gz` makes them. Each
/// member's CRC-32 and length are checked.
std::unique_ptr<ByteSource> gzip_bytes(std::unique_ptr<ByteSource> compressed);

/// What has passed through a source.
struct Passed {
  files::Sha256 hash;
  std::int64_t bytes = 0;
};
/// `source`, counting and hashing into `passed`, which must outlive it.
std::unique_ptr<ByteSource> watched_bytes(std::unique_ptr<ByteSource> source, Passed& passed);

/// Lines, split on '\n' alone (never on U+2028, U+0085, VT or FF; data.md 0).
class LineReader {
 public:
  explicit LineReader(std::unique_ptr<ByteSource> source);
  /// The next line without its '\n', valid until the next call. False at the end. Throws DataError
  /// for a line above 1 GiB.
  bool next(std::string_view& line);
  [[nodiscard]] std::int64_t number() const { return number_; }  ///< of the last line, from 1
  [[nodiscard]] const std::string& name() const { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what has not been returned yet
  std::size_t end_ = 0;    // of what has been read
  bool finished_ = false;
  std::int64_t number_ = 0;
};

}  // namespace longconv::data
