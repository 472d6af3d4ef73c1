// Writing HDF5 by its C API, behind handles that close themselves; private to the hdf5_*.cpp of
// this room. Reading is our own: data/formats/hdf5_reader.h.
//
// Debian's library is not thread-safe, so whoever calls it holds a Session.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::data::hdf5 {

/// One caller at a time, and HDF5's own printing to stderr switched off meanwhile.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
  H5E_auto2_t printer_ = nullptr;
  void* printer_data_ = nullptr;
};

/// An identifier and how it is closed.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, -1);
      close_ = other.close_;
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] bool valid() const { return id_ >= 0; }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// A file written beside its final name, fsynced and renamed by commit().
class NewFile {
 public:
  explicit NewFile(std::filesystem::path path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  /// Creates a contiguous dataset; throws EnvironmentError.
  Handle create(const char* name, std::span<const std::uint64_t> shape, hid_t file_type);
  void write_slice(const Handle& dataset, std::uint64_t first, std::uint64_t count,
                   hid_t memory_type, const void* data);
  void write_all(const Handle& dataset, hid_t memory_type, const void* data);
  void integer_attribute(const char* name, std::int64_t value);
  void text_attribute(const char* name, const std::string& value);
  void commit();

 private:
  void check(bool fine, std::string_view what) const;
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Handle file_;
};

}  // namespace longconv::data::hdf5
