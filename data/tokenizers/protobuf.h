// A walk over the fields of a serialized protobuf message, for the few we read. SentencePiece
// installs no header for its own, and no second protobuf may be linked beside the one inside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace longconv::data {

struct ProtobufField {
  std::uint64_t value = 0;  ///< of a number
  std::string_view bytes;   ///< of a string or message
};

/// The first field `number` of `message`, or nothing; what is cut short or malformed ends the walk.
std::optional<ProtobufField> find_field(std::string_view message, std::uint64_t number);

}  // namespace longconv::data
