// GPT-2's pre-tokenizer: text cut into the pieces that byte pair encoding works on, one by one.
//
// The published regular expression, leftmost alternative first (data.md 4.6):
//
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// It looks ahead by one character at most and never back, so a scan over character classes does it.
#pragma once

#include <cstddef>
#include <string_view>

namespace longconv::data {

/// End of the piece that begins at `begin` < text.size(). The pieces tile the text. A byte that is
/// no part of UTF-8 is cut like U+FFFD, which reference implementations want in its place.
std::size_t gpt2_piece_end(std::string_view text, std::size_t begin);

}  // namespace longconv::data
