#include "data/formats/text_fields.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace longconv::data {

std::vector<std::string_view> split_fields(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t at = line.find(separator);
    fields.push_back(line.substr(0, at));
    if (at == std::string_view::npos) return fields;
    line.remove_prefix(at + 1);
  }
}

std::int64_t whole_number(std::string_view field, const std::string& where) {
  std::int64_t value = -1;
  const char* stop = field.data() + field.size();
  const auto [end, problem] = std::from_chars(field.data(), stop, value);
  LONGCONV_CHECK(problem == std::errc{} && end == stop && value >= 0, DataError,
                 "{}: expected a whole number, got \"{:.40}\"", where, field);
  return value;
}

TextLines::TextLines(std::string_view text, std::string path)
    : rest_(text), path_(std::move(path)), size_(text.size()) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (rest_.starts_with(kMark)) rest_.remove_prefix(kMark.size());
}

bool TextLines::next(std::string_view& line) {
  if (rest_.empty()) return false;
  ++number_;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  line = rest_.substr(0, end);
  const std::size_t wrong = utf8_error(line);
  LONGCONV_CHECK(wrong == std::string_view::npos, DataError, "{}: not UTF-8 at byte {} of the file",
                 where(), size_ - rest_.size() + wrong);
  if (line.ends_with('\r')) line.remove_suffix(1);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return true;
}

std::string TextLines::where() const { return fmt::format("{}:{}", path_, number_); }

void for_each_text_line(std::string_view text, const std::string& path,
                        const std::function<void(std::string_view, const std::string&)>& handle) {
  TextLines lines(text, path);
  std::string_view line;
  while (lines.next(line)) handle(line, lines.where());
}

}  // namespace longconv::data
