// The bytes of an HDF5 file (version 3 of the format's specification, little-endian) and a place in
// them, from which numbers are taken and which no lying size can leave.
#pragma once

#include "core/base/check.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace longconv::data::hdf5 {

/// An address that stands for "nowhere".
inline constexpr std::uint64_t kUndefined = ~std::uint64_t{0};

class Cursor;

struct Image {
  std::span<const std::byte> bytes;  ///< from the superblock on, which addresses count from
  std::string path;

  /// Bytes [address, address + size). Throws DataError if they are not all in the file.
  [[nodiscard]] Cursor at(std::uint64_t address, std::uint64_t size) const;
  /// Throws DataError: the file is damaged, in these words.
  [[noreturn]] void fail(std::uint64_t address, std::string_view words) const {
    throw DataError(fmt::format("{}: not a readable HDF5 file: byte {}: {}", path, address, words));
  }
};

class Cursor {
 public:
  Cursor(const Image& image, std::uint64_t begin, std::uint64_t size)
      : image_(&image), at_(begin), end_(begin + size) {}

  [[nodiscard]] std::uint64_t left() const { return end_ - at_; }
  [[nodiscard]] std::uint64_t address() const { return at_; }
  [[noreturn]] void fail(std::string_view words) const { image_->fail(at_, words); }

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > left()) fail(fmt::format("{} bytes wanted, {} are there", size, left()));
    const auto out = image_->bytes.subspan(at_, size);
    at_ += size;
    return out;
  }
  void skip(std::uint64_t size) { take(size); }
  /// The next `size` bytes as a place of their own.
  Cursor part(std::uint64_t size) {
    const std::uint64_t begin = at_;
    skip(size);
    return {*image_, begin, size};
  }
  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  /// An unsigned number of 1, 2, 4 or 8 bytes.
  std::uint64_t number_of(std::uint64_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, take(bytes).data(), bytes);
    return value;
  }
  void expect(std::string_view signature) {
    const auto got = take(signature.size());
    if (std::memcmp(got.data(), signature.data(), signature.size()) != 0) {
      image_->fail(at_ - signature.size(), fmt::format("expected \"{}\" here", signature));
    }
  }
  /// Up to a NUL byte or the end.
  std::string text() {
    const auto rest = image_->bytes.subspan(at_, left());
    const auto* begin = reinterpret_cast<const char*>(rest.data());
    return {begin, ::strnlen(begin, rest.size())};
  }

 private:
  const Image* image_;
  std::uint64_t at_;
  std::uint64_t end_;
};

inline Cursor Image::at(std::uint64_t address, std::uint64_t size) const {
  if (address > bytes.size() || size > bytes.size() - address) {
    fail(address, fmt::format("{} bytes wanted here, the file has {}: truncated or damaged", size,
                              bytes.size()));
  }
  return {*this, address, size};
}

}  // namespace longconv::data::hdf5
