#include "data/tokenizers/json_cursor.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

namespace longconv::data {

namespace {

constexpr int kMaxDepth = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

JsonCursor::JsonCursor(std::string_view text, std::string where)
    : text_(text), where_(std::move(where)) {
  check_vocabulary_text(text_, where_);
}

void JsonCursor::object(const std::function<void(const std::string&)>& member) {
  expect('{', "an object");
  enter();
  std::unordered_set<std::string> seen;
  if (peek() == '}') {
    ++at_;
  } else {
    while (true) {
      const std::string key = string();
      if (!seen.insert(key).second) fail(fmt::format("the key \"{}\" stands there twice", key));
      expect(':', "':'");
      member(key);
      if (peek() != ',') break;
      ++at_;
    }
    expect('}', "',' or '}'");
  }
  --depth_;
}

void JsonCursor::array(const std::function<void()>& item) {
  expect('[', "an array");
  enter();
  if (peek() == ']') {
    ++at_;
  } else {
    while (true) {
      item();
      if (peek() != ',') break;
      ++at_;
    }
    expect(']', "',' or ']'");
  }
  --depth_;
}

std::string JsonCursor::string() {
  expect('"', "a string");
  std::string out;
  while (true) {
    const std::size_t stop = text_.find_first_of("\"\\", at_);
    const std::string_view plain = text_.substr(at_, stop - at_);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (static_cast<unsigned char>(plain[i]) < 0x20) {
        fail_at(at_ + i, "expected an escape for this control character in a string");
      }
    }
    out += plain;
    if (stop == std::string_view::npos) fail_at(text_.size(), "the text ends inside a string");
    at_ = stop + 1;
    if (text_[stop] == '"') return out;
    escape(out);
  }
}

std::int64_t JsonCursor::integer() {
  const char first = peek();
  value_at_ = at_;
  std::int64_t value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  const std::size_t length = error == std::errc() ? static_cast<std::size_t>(end - begin) : 0;
  const std::string_view after = text_.substr(at_ + length, 1);
  const std::size_t sign = first == '-' ? 1 : 0;
  const bool leading_zero = length > sign + 1 && text_[at_ + sign] == '0';
  if (length == 0 || leading_zero || after == "." || after == "e" || after == "E") {
    fail(fmt::format("expected an integer, got {}", got()));
  }
  at_ += length;
  return value;
}

bool JsonCursor::boolean() {
  peek();
  value_at_ = at_;
  for (const bool value : {true, false}) {
    const std::string_view word = value ? "true" : "false";
    if (text_.substr(at_).starts_with(word)) {
      at_ += word.size();
      return value;
    }
  }
  fail(fmt::format("expected true or false, got {}", got()));
}

bool JsonCursor::null() {
  peek();
  if (!text_.substr(at_).starts_with("null")) return false;
  at_ += 4;
  return true;
}

char JsonCursor::peek() {
  blanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

void JsonCursor::skip() {
  switch (peek()) {
    case '{':
      return object([&](const std::string&) { skip(); });
    case '[':
      return array([&] { skip(); });
    case '"':
      string();
      return;
    case 't':
    case 'f':
      boolean();
      return;
    case 'n':
      if (null()) return;
      break;
    default:
      break;
  }
  value_at_ = at_;
  const std::size_t end = text_.find_first_not_of("+-.0123456789eE", at_);
  const std::string_view number = text_.substr(at_, end - at_);
  const std::size_t sign = number.starts_with('-') ? 1 : 0;
  double value = 0;
  const char* stop = number.data() + number.size();
  if (number.size() <= sign || !is_digit(number[sign]) || !is_digit(number.back()) ||
      std::from_chars(number.data(), stop, value).ptr != stop) {
    fail(fmt::format("expected a value, got {}", got()));
  }
  at_ += number.size();
}

void JsonCursor::finish() {
  if (peek() != '\0' || at_ < text_.size()) {
    fail_at(at_, fmt::format("expected the end of the text, got {}", got()));
  }
}

void JsonCursor::fail(const std::string& words) const { fail_at(value_at_, words); }

void JsonCursor::blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

void JsonCursor::expect(char wanted, const char* what) {
  const char next = peek();
  if (next != wanted || at_ == text_.size()) {
    fail_at(at_, fmt::format("expected {}, got {}", what, got()));
  }
  value_at_ = at_;
  ++at_;
}

void JsonCursor::enter() {
  ++depth_;
  if (depth_ > kMaxDepth) fail(fmt::format("values nest deeper than {} levels", kMaxDepth));
}

std::uint32_t JsonCursor::four_digits() {
  std::uint32_t value = 0;
  const std::string_view digits = text_.substr(at_, 4);
  const char* end = digits.data() + digits.size();
  if (digits.size() < 4 || std::from_chars(digits.data(), end, value, 16).ptr != end) {
    fail_at(at_, fmt::format("expected four hexadecimal digits after \\u, got {}", got()));
  }
  at_ += 4;
  return value;
}

/// What follows a backslash.
void JsonCursor::escape(std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t begin = at_;
  if (at_ == text_.size()) fail_at(at_, "the text ends inside a string");
  const char name = text_[at_++];
  if (const std::size_t i = kNames.find(name); i != std::string_view::npos) {
    out += kMeanings[i];
    return;
  }
  if (name != 'u') fail_at(begin, fmt::format("expected an escape of JSON, got \\{}", name));
  std::uint32_t code = four_digits();
  if (code >= 0xD800 && code < 0xE000) {
    const bool high = code < 0xDC00 && text_.substr(at_).starts_with("\\u");
    if (high) at_ += 2;
    const std::uint32_t low = high ? four_digits() : 0;
    if (low < 0xDC00 || low >= 0xE000) {
      fail_at(begin, "half of a surrogate pair, which is no character");
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(code, out);
}

std::string JsonCursor::place(std::size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 = 0
  return fmt::format("{}:{}:{}", where_, line, offset - begin + 1);
}

void JsonCursor::fail_at(std::size_t offset, const std::string& words) const {
  throw DataError(place(offset) + ": " + words);
}

/// A few characters of what comes next, for a message.
std::string JsonCursor::got() const {
  if (at_ >= text_.size()) return "the end of the text";
  const std::size_t end = utf8_floor(text_, at_ + 20);
  const std::string_view some = text_.substr(at_, end - at_);
  return std::string(some.substr(0, some.find_first_of("\r\n")));
}

}  // namespace longconv::data
