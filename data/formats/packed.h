// Numbers at offsets that need no alignment, as they lie in the file: little-endian.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace longconv::data {

/// The caller has checked that the number lies inside `bytes`.
template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

}  // namespace longconv::data
