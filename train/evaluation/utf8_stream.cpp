#include "train/evaluation/utf8_stream.h"

#include "data/formats/utf8.h"

namespace longconv::train {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Whether more bytes could make `start` (not a character by itself) one. After a first byte with a
// narrowed range (E0, ED, F0, F4) either the lowest or the highest continuation bytes are allowed.
bool is_unfinished(std::string_view start) {
  for (const char filler : {'\x80', '\xBF'}) {
    std::string text(start);
    while (text.size() < 4) {
      text += filler;
      if (data::utf8_length(text) > start.size()) return true;
    }
  }
  return false;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  waiting_ += bytes;
  std::string out;
  std::string_view rest = waiting_;
  while (!rest.empty()) {
    const std::size_t length = data::utf8_length(rest);
    if (length == 0 && is_unfinished(rest)) break;
    out += length == 0 ? kReplacement : rest.substr(0, length);
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  waiting_ = std::string(rest);
  return out;
}

std::string Utf8Stream::finish() {
  std::string out;
  for (std::size_t i = 0; i < waiting_.size(); ++i) out += kReplacement;
  waiting_.clear();
  return out;
}

}  // namespace longconv::train
