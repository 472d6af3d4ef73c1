#include "data/tokenizers/protobuf.h"

#include <algorithm>

namespace longconv::data {

namespace {

/// A number of a protobuf message: 7 bits a byte, low ones first. Takes it off `bytes`.
std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

}  // namespace

std::optional<ProtobufField> find_field(std::string_view message, std::uint64_t number) {
  while (!message.empty()) {
    const std::uint64_t tag = take_varint(message);
    ProtobufField field;
    std::size_t skip = 0;
    switch (tag & 7) {
      case 0:
        field.value = take_varint(message);
        break;
      case 1:
        skip = 8;
        break;
      case 2:
        skip = take_varint(message);
        field.bytes = message.substr(0, skip);
        break;
      case 5:
        skip = 4;
        break;
      default:
        return std::nullopt;
    }
    if (tag >> 3 == number) return field;
    message.remove_prefix(std::min(skip, message.size()));
  }
  return std::nullopt;
}

}  // namespace longconv::data
