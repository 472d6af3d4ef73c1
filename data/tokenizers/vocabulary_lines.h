// Vocabulary files that are lists of lines: what they must not hold, and their lines one by one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace longconv::data {

/// Larger vocabularies are none: bounds what a foreign file can make us allocate.
inline constexpr std::size_t kMaxVocabularyBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxTokens = std::size_t{1} << 22;
inline constexpr std::size_t kMaxTokenBytes = std::size_t{1} << 12;

/// Throws DataError "where:line: ..." for a byte order mark or bytes that are no UTF-8.
void check_vocabulary_text(std::string_view text, const std::string& where);

/// Calls `line(text, number)` for each line; numbers start at 1. Throws DataError "where:line: ..."
/// besides for CR before a line's end, a last line without one (a file cut short), and nothing.
void for_each_vocabulary_line(
    std::string_view text, const std::string& where,
    const std::function<void(std::string_view line, std::size_t number)>& line);

}  // namespace longconv::data
