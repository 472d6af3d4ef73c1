#include "data/tokenizers/bert_text.h"

#include "data/tokenizers/unicode.h"

#include <algorithm>
#include <string>
#include <vector>

namespace longconv::data {

namespace {

/// Cleaned, with spaces around ideographs, decomposed; marks not yet in order.
std::vector<char32_t> clean(std::string_view text) {
  std::vector<char32_t> out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Character c = utf8_character(text.substr(i));
    i += c.length;
    if (is_blank(c.code)) {
      out.push_back(' ');
    } else if (c.code == 0 || c.code == kReplacement || is_control(c.code)) {
      continue;
    } else if (c.code < 0x80) {
      out.push_back(c.code);
    } else if (is_ideograph(c.code)) {
      out.push_back(' ');
      decompose(c.code, out);
      out.push_back(' ');
    } else {
      decompose(c.code, out);
    }
  }
  return out;
}

}  // namespace

void for_each_bert_word(
    std::string_view text,
    const std::function<void(std::string_view word, std::size_t characters)>& word) {
  std::vector<char32_t> codes = clean(text);
  order_marks(codes);
  std::string bytes;
  std::size_t characters = 0;
  const auto flush = [&] {
    if (characters > 0) word(bytes, characters);
    bytes.clear();
    characters = 0;
  };
  const auto add = [&](char32_t code) {
    append_utf8(code, bytes);
    ++characters;
  };
  for (const char32_t code : codes) {
    if (code == ' ') {
      flush();
    } else if (is_punctuation(code)) {
      flush();
      add(code);
      flush();
    } else if (code < 0x80 || !is_nonspacing_mark(code)) {
      add(lower_case(code));
    }
  }
  flush();
}

}  // namespace longconv::data
