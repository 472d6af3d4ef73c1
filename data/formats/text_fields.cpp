#include "data/formats/text_fields.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"

#include <algorithm>

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

void for_each_text_line(std::string_view text, const std::string& path,
                        const std::function<void(std::string_view, const std::string&)>& handle) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  const std::size_t all = text.size();
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    const std::size_t wrong = utf8_error(line);
    LONGCONV_CHECK(wrong == std::string_view::npos, DataError,
                   "{}:{}: not UTF-8 at byte {} of the file", path, number,
                   all - text.size() + wrong);
    if (line.ends_with('\r')) line.remove_suffix(1);
    handle(line, fmt::format("{}:{}", path, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace longconv::data
