#include "data/tokenizers/vocabulary_lines.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"

#include <algorithm>

namespace longconv::data {

void check_vocabulary_text(std::string_view text, const std::string& where) {
  LONGCONV_CHECK(!text.starts_with("\xEF\xBB\xBF"), DataError,
                 "{}:1: begins with a byte order mark, which would be part of the first token; "
                 "save it as UTF-8 without one",
                 where);
  const std::size_t bad = utf8_error(text);
  if (bad != std::string_view::npos) {
    const std::string_view before = text.substr(0, bad);
    throw DataError(fmt::format("{}:{}: byte {} (0x{:02X}) is not UTF-8", where,
                                1 + std::count(before.begin(), before.end(), '\n'), bad,
                                static_cast<unsigned char>(text[bad])));
  }
}

void for_each_vocabulary_line(
    std::string_view text, const std::string& where,
    const std::function<void(std::string_view line, std::size_t number)>& line) {
  check_vocabulary_text(text, where);
  LONGCONV_CHECK(!text.empty(), DataError, "{}:1: expected a vocabulary, got an empty file", where);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t stop = text.find('\n');
    LONGCONV_CHECK(stop != std::string_view::npos, DataError,
                   "{}:{}: the last line has no end, so the file may be cut short; if it is whole, "
                   "end it with a newline",
                   where, number);
    const std::string_view one = text.substr(0, stop);
    LONGCONV_CHECK(!one.ends_with('\r'), DataError,
                   "{}:{}: ends with CR LF, expected LF alone; convert the file (dos2unix)", where,
                   number);
    line(one, number);
    text.remove_prefix(stop + 1);
  }
}

}  // namespace longconv::data
