#include "data/tokenizers/gpt2_pieces.h"

#include "data/tokenizers/unicode.h"

#include <array>

namespace longconv::data {

namespace {

constexpr std::array<CharClass, 128> ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = CharClass::letter;
    if (c >= '0' && c <= '9') classes[c] = CharClass::number;
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = CharClass::space;
  }
  return classes;
}
constexpr std::array<CharClass, 128> kAscii = ascii_classes();

struct Character {
  CharClass kind;
  std::size_t length;
};

inline Character character_at(std::string_view text, std::size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < kAscii.size()) return {kAscii[byte], 1};
  const Utf8Character c = utf8_character(text.substr(i));
  return {char_class(c.code), c.length};
}

/// Length of the contraction at `begin`, which holds an apostrophe; 0 if there is none.
std::size_t contraction(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin + 1, 2);
  if (rest.empty()) return 0;
  switch (rest[0]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return rest.size() == 2 && rest[1] == 'e' ? 3 : 0;
    case 'l':
      return rest.size() == 2 && rest[1] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

/// End of the run of one class that goes on at `i`.
inline std::size_t run_end(std::string_view text, std::size_t i, CharClass kind) {
  while (i < text.size()) {
    const Character c = character_at(text, i);
    if (c.kind != kind) break;
    i += c.length;
  }
  return i;
}

/// A run of white space gives its last character to the next piece, unless it is all or the end.
std::size_t space_end(std::string_view text, std::size_t begin) {
  std::size_t last = begin;
  std::size_t i = begin;
  while (i < text.size()) {
    const Character c = character_at(text, i);
    if (c.kind != CharClass::space) break;
    last = i;
    i += c.length;
  }
  return i == text.size() || last == begin ? i : last;
}

}  // namespace

std::size_t gpt2_piece_end(std::string_view text, std::size_t begin) {
  const Character first = character_at(text, begin);
  if (first.kind != CharClass::space) {
    if (text[begin] == '\'') {
      if (const std::size_t length = contraction(text, begin)) return begin + length;
    }
    return run_end(text, begin + first.length, first.kind);
  }
  if (text[begin] == ' ' && begin + 1 < text.size()) {
    const Character second = character_at(text, begin + 1);
    if (second.kind != CharClass::space) {
      return run_end(text, begin + 1 + second.length, second.kind);
    }
  }
  return space_end(text, begin);
}

}  // namespace longconv::data
