// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace longconv::data {

/// Length in bytes of the well-formed character at the start of `text`, or 0 if there is none.
std::size_t utf8_length(std::string_view text);

/// Offset of the first byte that is not part of well-formed UTF-8, or npos if all is well.
std::size_t utf8_error(std::string_view text);

/// The largest character boundary <= offset. `text` must be well-formed.
std::size_t utf8_floor(std::string_view text, std::size_t offset);

}  // namespace longconv::data
