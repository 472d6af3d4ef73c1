#include "train/report/markup.h"

#include "data/formats/utf8.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>

namespace longconv::train {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool fits_xml(std::string_view character) {
  if (character.size() == 1) {
    const auto byte = static_cast<unsigned char>(character[0]);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\t';
  }
  return character != "\xEF\xBF\xBE" && character != "\xEF\xBF\xBF";
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  while (!text.empty()) {
    const std::size_t length = data::utf8_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    text.remove_prefix(character.size());
    if (length == 0 || !fits_xml(character)) {
      out += kReplacement;
    } else if (character == "&") {
      out += "&amp;";
    } else if (character == "<") {
      out += "&lt;";
    } else if (character == ">") {
      out += "&gt;";
    } else if (character == "\"") {
      out += "&quot;";
    } else if (character == "'") {
      out += "&#39;";
    } else {
      out += character;
    }
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = data::utf8_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    text.remove_prefix(character.size());
    const bool whole = length > 0 && fits_xml(character) && character != "\n" && character != "\t";
    out += whole ? character : std::string_view("?");
  }
  return out;
}

std::string short_number(double value) {
  if (std::isnan(value)) return "-";
  if (std::abs(value) >= 1e4 && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{:.4g}", value);
}

std::string with_prefix(double value) {
  constexpr std::array<const char*, 6> kPrefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t step = 0;
  // 999.5 already rounds to 1000 at three digits.
  while (std::abs(value) >= 999.5 && step + 1 < kPrefixes.size()) {
    value /= 1000.0;
    ++step;
  }
  const double size = std::abs(value);
  const int digits = size == 0.0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, digits, kPrefixes[step]);
}

std::string short_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  std::size_t step = 0;
  while (value >= 999.95 && step + 1 < kUnits.size()) {
    value /= 1000.0;
    ++step;
  }
  return step == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[step]);
}

std::string clock_time(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0.0 || seconds > 1e10) return "-";
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t days = whole / 86400;
  const std::int64_t hours = whole / 3600 % 24;
  const std::int64_t minutes = whole / 60 % 60;
  if (days > 0) return fmt::format("{}d {:02}:{:02}:{:02}", days, hours, minutes, whole % 60);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string utc_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return utc_time(std::chrono::duration<double>(now).count());
}

std::string utc_time(double seconds_since_1970) {
  const auto milliseconds =
      static_cast<std::int64_t>(std::floor(seconds_since_1970 * 1000.0 + 0.5));
  const std::tm parts = fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", parts, milliseconds % 1000);
}

double parse_utc_time(const std::string& text) {
  std::tm parts{};
  int milliseconds = 0;
  int read = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year,
                                 &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
                                 &parts.tm_sec, &milliseconds, &read);
  if (fields != 7 || static_cast<std::size_t>(read) != text.size()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<double>(::timegm(&parts)) + milliseconds / 1000.0;
}

}  // namespace longconv::train
