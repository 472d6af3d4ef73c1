// What torch.save writes, read without Python: tensors of a state dict as views into the file.
//
// Two layouts: the zip archive since PyTorch 1.6 (NAME/data.pkl, NAME/data/KEY), and the older
// stream of five pickles (magic number, protocol, system, object, keys of the storages) with the
// storages behind. The object's pickle is interpreted by core/files/pickle.h: nothing is executed.
//
// Nothing is trusted before it is checked: every storage against the file, every tensor's offset,
// shape and strides against its storage. A tensor costs no memory unless it is not contiguous or
// its storage is deflated; such copies are made when asked for. Gathered ones together are at most
// as large as the file.
#pragma once

#include "core/files/mapped_file.h"
#include "core/files/pickle.h"
#include "core/files/safetensors.h"  // TensorView
#include "core/files/zip.h"

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::files {

/// The object of a torch file, which lies in memory that outlives this.
class TorchArchive {
 public:
  /// Throws CheckpointError with `path` and what was expected.
  TorchArchive(std::span<const std::byte> bytes, const std::string& path);

  /// Whether the bytes begin as one of the two layouts does.
  static bool recognises(std::span<const std::byte> bytes) noexcept;

  [[nodiscard]] const Pickle& pickle() const { return *pickle_; }
  /// "zip" or "legacy".
  [[nodiscard]] std::string_view layout() const { return legacy_ ? "legacy" : "zip"; }

  /// Whether a value stands for a tensor (or a parameter), readable or not.
  [[nodiscard]] bool is_tensor(PickleRef ref) const;
  /// The tensor, row-major. `name` becomes the view's and stands in messages. Throws
  /// CheckpointError if the value is none, or does not fit its storage. The view lives as long as
  /// the archive.
  TensorView tensor(PickleRef ref, const std::string& name);
  /// Storages whose bytes do not have the checksum of the archive's directory, by key; reads the
  /// whole file. Legacy files carry none.
  [[nodiscard]] std::vector<std::string> damaged_storages() const;

 private:
  struct Storage {
    std::span<const std::byte> data;
    const ZipMember* member = nullptr;  ///< zip only
  };
  void read_zip(const std::string& path);
  void read_legacy(const std::string& path);
  [[noreturn]] void fail(const std::string& name, const std::string& what) const;
  /// The call that makes the tensor, parameters unwrapped; nullopt if it is none.
  [[nodiscard]] std::optional<PickleRef> rebuild_call(PickleRef ref) const;
  std::span<const std::byte> storage_bytes(PickleRef ref, const std::string& name, Dtype& dtype);
  std::span<const std::byte> row_major(std::span<const std::byte> storage, std::int64_t offset,
                                       const std::vector<std::int64_t>& shape,
                                       const std::vector<std::int64_t>& strides,
                                       std::size_t element, const std::string& name);

  std::string path_;
  std::span<const std::byte> bytes_;
  bool legacy_ = false;
  std::map<std::string, ZipMember> members_;
  std::deque<std::vector<std::byte>>
      held_;  // inflated and gathered bytes; a deque never moves them
  std::uint64_t gathered_ = 0;
  std::unique_ptr<Pickle> pickle_;
  std::map<std::string, Storage, std::less<>> storages_;
};

/// An open file.
class TorchFile {
 public:
  /// Throws CheckpointError if the file is missing, truncated or malformed.
  explicit TorchFile(const std::filesystem::path& path);
  TorchArchive& archive() { return *archive_; }

 private:
  MappedFile file_;
  std::unique_ptr<TorchArchive> archive_;
};

}  // namespace longconv::files
