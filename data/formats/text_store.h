// The text of a file by offset, whether it lies there as it is or compressed.
#pragma once

#include "core/files/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace longconv::data {

/// Thread-safe.
class TextStore {
 public:
  virtual ~TextStore() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Bytes [offset, offset + out.size()), which must lie in the text. Throws DataError for damage.
  virtual void read(std::int64_t offset, std::span<char> out) const = 0;
  /// The whole text where it lies in memory, else nullptr.
  [[nodiscard]] virtual const char* data() const { return nullptr; }
};

std::unique_ptr<TextStore> mapped_text(files::MappedFile file);
/// Decompressed into memory. Throws DataError.
std::unique_ptr<TextStore> gunzipped_text(const std::filesystem::path& path);

}  // namespace longconv::data
