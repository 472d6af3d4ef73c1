// The safetensors container: u64 header size, JSON header, tensors back to back.
//
// Nothing in the file is trusted before it is checked: header size against the file, every offset
// against the data, shape times element size against the span, no overlap, no gap, no duplicate.
#pragma once

#include "core/base/dtype.h"
#include "core/files/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace longconv::files {

/// A tensor's bytes with its name; `data` is row-major and contiguous, little-endian. Views into a
/// file need not be aligned to their element: copy with memcpy, or check first.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// What a header says; `data` points into `bytes`. Throws CheckpointError naming `path` and tensor.
struct SafetensorsHeader {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};
SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::string& path);

/// An open file; the views stay valid as long as it lives.
class SafetensorsFile {
 public:
  /// Throws CheckpointError if the file is missing, truncated or malformed.
  explicit SafetensorsFile(const std::filesystem::path& path);
  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const { return header_.tensors; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const {
    return header_.metadata;
  }
  /// A tensor's pages are no longer needed (MappedFile::release).
  void release(const TensorView& tensor) const { file_.release(tensor.data); }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
};

/// Elements of a shape; nullopt if a dimension is negative or the product leaves int64.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) noexcept;
/// "[2, 3]": the words used in messages.
std::string shape_words(std::span<const std::int64_t> shape);

/// The bytes in front of the data, for callers that write the data as they make it: tensors lie
/// back to back in the given order. Reads their names, dtypes and shapes, not their data. Throws
/// ShapeError for a shape that no memory holds, for a name that is taken or no UTF-8.
std::string safetensors_header(const std::vector<TensorView>& tensors,
                               const std::map<std::string, std::string>& metadata,
                               const std::filesystem::path& path);

/// Writes atomically, tensors in the given order. Throws EnvironmentError (disk, permission);
/// ShapeError for a tensor whose data does not fit its shape or whose name is taken or no UTF-8.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace longconv::files
