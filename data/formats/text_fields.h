// Lines and fields of tables as text: TSV and its like, without quoting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// The parts of `line` between `separator`s; one empty field for an empty line.
std::vector<std::string_view> split_fields(std::string_view line, char separator);

/// A field that is a whole number, 0 or above. Throws DataError beginning with `where`.
std::int64_t whole_number(std::string_view field, const std::string& where);

/// The lines of a text: split on '\n' alone, a '\r' at the end and a byte order mark at the
/// beginning removed.
class TextLines {
 public:
  /// `text` must outlive this.
  TextLines(std::string_view text, std::string path);
  /// False at the end. Throws DataError with path, line and offset for bytes that are not UTF-8.
  bool next(std::string_view& line);
  [[nodiscard]] std::string where() const;  ///< "path:number" of the line that next() gave

 private:
  std::string_view rest_;
  std::string path_;
  std::size_t size_;
  std::int64_t number_ = 0;
};

/// Calls `handle(line, where)` for each of them.
void for_each_text_line(std::string_view text, const std::string& path,
                        const std::function<void(std::string_view, const std::string&)>& handle);

}  // namespace longconv::data
