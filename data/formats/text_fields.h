// Lines and fields of tables as text: TSV and its like, without quoting.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// The parts of `line` between `separator`s; one empty field for an empty line.
std::vector<std::string_view> split_fields(std::string_view line, char separator);

/// Calls `handle(line, "path:number")` for each line of `text`: split on '\n' alone, a '\r' at the
/// end and a byte order mark at the beginning removed. Throws DataError with path, line and offset
/// for bytes that are not UTF-8.
void for_each_text_line(std::string_view text, const std::string& path,
                        const std::function<void(std::string_view, const std::string&)>& handle);

}  // namespace longconv::data
