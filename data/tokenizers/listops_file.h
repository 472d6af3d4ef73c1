// ListOps (arXiv:1804.06028) as the Long Range Arena ships it: a header, then lines of an
// expression, a tab and its value. Symbols are the ids of ListOpsTokenizer.
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include "data/tokenizers/lra.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// Ids of the symbols that expressions are made of.
inline constexpr std::uint8_t kListOpsClose = 3;
inline constexpr std::uint8_t kListOpsDigit = 4;  ///< of 0; 9 is 13
inline constexpr std::uint8_t kListOpsMin = 14;
inline constexpr std::uint8_t kListOpsMax = 15;
inline constexpr std::uint8_t kListOpsMed = 16;
inline constexpr std::uint8_t kListOpsSum = 17;  ///< modulo 10

/// The value of an expression. Throws DataError beginning with `where`: what is no expression.
int listops_value(std::span<const std::uint8_t> symbols, const std::string& where);

/// One published line's "Source" (fully parenthesised, symbols between spaces) to symbols, without
/// an end. Throws DataError beginning with `where` for an unknown symbol.
std::vector<std::uint8_t> parse_listops(std::string_view source, const std::string& where);

/// One line of a file.
struct ListOpsRow {
  std::vector<std::uint8_t> symbols{};  ///< one or more
  int answer = 0;                       ///< 0 to 9
};

/// Calls `handle` for each row. Throws DataError with `path` and line: another header, a line that
/// is no expression, tab and digit, an unknown symbol, with `check_answers` what has another value
/// or is no expression; and for a file without rows.
void for_each_listops_row(std::string_view text, const std::string& path, bool check_answers,
                          const std::function<void(ListOpsRow)>& handle);

}  // namespace longconv::data
