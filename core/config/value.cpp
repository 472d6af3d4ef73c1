#include "core/config/value.h"

#include <fmt/format.h>

#include <cmath>

namespace longconv::config {

std::string_view kind_words(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return "a boolean";
    case Kind::integer:
      return "an integer";
    case Kind::floating:
      return "a float";
    case Kind::text:
      return "a string";
    case Kind::date:
      return "a date or time";
    case Kind::array:
      return "an array";
    case Kind::table:
      return "a table";
  }
  return "a value";
}

std::string toml_text(bool value) { return value ? "true" : "false"; }

std::string toml_text(std::int64_t value) { return fmt::format("{}", value); }

std::string toml_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);  // the shortest that reads back as the same double
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // else it would be an integer
  return text;
}

std::string toml_text(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\t') {
      text += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      text += fmt::format("\\u{:04X}", byte);
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::string value_words(const Value& value) {
  constexpr std::size_t kMost = 60;
  std::string text;
  switch (value.kind) {
    case Kind::boolean:
      return toml_text(value.boolean);
    case Kind::integer:
      return toml_text(value.integer);
    case Kind::floating:
      return toml_text(value.floating);
    case Kind::table:
      return "a table";
    case Kind::date:
      return value.text;
    case Kind::text:
      text = toml_text(value.text);
      break;
    case Kind::array:
      text = "[";
      for (const Value& item : value.items) {
        if (text.size() > kMost) break;
        if (text.size() > 1) text += ", ";
        text += value_words(item);
      }
      text += "]";
      break;
  }
  if (text.size() <= kMost) return text;
  std::size_t cut = kMost;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;  // whole letters
  return text.substr(0, cut) + "...";
}

bool has_tables(const Value& value) {
  return value.kind == Kind::table ||
         (value.kind == Kind::array && !value.items.empty() && has_tables(value.items.front()));
}

std::string got_words(const Value& value) {
  if (has_tables(value)) return value.kind == Kind::table ? "a table" : "an array of tables";
  const bool finite = value.kind != Kind::floating || std::isfinite(value.floating);
  return fmt::format("{} ({})", value_words(value), finite ? kind_words(value.kind) : "not finite");
}

}  // namespace longconv::config
