// What the tokenizers ask about a character: Unicode 15.0, as utf8proc 2.8 (Debian 12) has it, and
// for GPT-2's classes the letters and numbers that 15.1 and 16.0 added, since tiktoken and Hugging
// Face's tokenizers know them. BERT stays with 15 (docs/tokenizers.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// U+FFFD, which stands for a byte that is no part of UTF-8.
inline constexpr char32_t kReplacement = 0xFFFD;

struct Utf8Character {
  char32_t code = 0;
  std::size_t length = 0;  ///< bytes; 1 for a stray byte, whose code is U+FFFD
};

/// The character at the start of `text`, which must not be empty.
Utf8Character utf8_character(std::string_view text);
void append_utf8(char32_t code, std::string& out);

/// GPT-2's classes in Unicode 16: \p{L}, \p{N}, White_Space, and the rest (marks and unassigned
/// ones too).
enum class CharClass : std::uint8_t { other, letter, number, space };
CharClass char_class(char32_t code);

/// BERT's: categories C* without tab, LF and CR; Zs, Zl, Zp and those three; P* and the ASCII
/// symbols; the CJK ideographs that it makes words of their own.
bool is_control(char32_t code);
bool is_blank(char32_t code);
bool is_punctuation(char32_t code);
bool is_ideograph(char32_t code);

/// Simple lower case of one character (no rule for final sigma).
char32_t lower_case(char32_t code);

/// Appends the canonical decomposition of `code`.
void decompose(char32_t code, std::vector<char32_t>& out);
/// Puts the combining marks of a decomposed text into canonical order (NFD).
void order_marks(std::vector<char32_t>& text);
/// Category Mn.
bool is_nonspacing_mark(char32_t code);

}  // namespace longconv::data
