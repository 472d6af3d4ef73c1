// Text for people and for XML: escaping, numbers with few digits, times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace longconv::train {

/// `text` with &, <, >, " and ' as entities. What XML 1.0 cannot hold (control characters but tab
/// and newline, U+FFFE and U+FFFF) and broken UTF-8 become U+FFFD, so that any bytes may be shown.
std::string escape(std::string_view text);

/// Broken UTF-8 and control characters as '?', for error messages.
std::string printable(std::string_view text);

/// Four significant digits, no trailing zeros: "3.214", "0.0006", "1.2e-05", "81230"; NaN is "-".
std::string short_number(double value);

/// With a decimal prefix and three digits: 81234 -> "81.2k", 1.24e9 -> "1.24G".
std::string with_prefix(double value);

/// Bytes as "1.2 GB" (decimal).
std::string short_bytes(std::uint64_t bytes);

/// Seconds as "0:07", "12:34", "3:05:09", "2d 03:04:05".
std::string clock_time(double seconds);

/// The present, or `seconds_since_1970`, as "2026-01-31T12:34:56.789Z".
std::string utc_time();
std::string utc_time(double seconds_since_1970);

/// The inverse of utc_time; NaN if `text` has another form.
double parse_utc_time(const std::string& text);

}  // namespace longconv::train
