#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/json_cursor.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <algorithm>

namespace longconv::data {

BpeVocabulary parse_bpe_files(std::string_view merges, const std::string& merges_name,
                              std::string_view ids, const std::string& ids_name) {
  WrittenBpe written;
  written.guess_added = true;
  for_each_vocabulary_line(merges, merges_name, [&](std::string_view line, std::size_t number) {
    if (number == 1 && line.starts_with("#version")) return;
    const std::size_t space = line.find(' ');
    const bool two = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                     line.find(' ', space + 1) == std::string_view::npos;
    LONGCONV_CHECK(two, DataError,
                   "{}:{}: expected a merge, two tokens with one space, got \"{:.60}\"",
                   merges_name, number, line);
    written.merges.push_back(
        {std::string(line.substr(0, space)), std::string(line.substr(space + 1)), number});
  });
  JsonCursor json(ids, ids_name);
  json.object([&](const std::string& token) {
    const std::int64_t id = json.integer();
    written.tokens.push_back({token, id, json.offset(), false});
  });
  json.finish();
  written.merge_place = [&](std::size_t line) { return fmt::format("{}:{}", merges_name, line); };
  written.token_place = [&](std::size_t offset) { return json.place(offset); };
  return make_bpe_vocabulary(written);
}

BpeVocabulary read_bpe_files(const std::filesystem::path& merges,
                             const std::filesystem::path& ids) {
  return parse_bpe_files(files::read_text(merges, kMaxVocabularyBytes), merges.string(),
                         files::read_text(ids, kMaxVocabularyBytes), ids.string());
}

}  // namespace longconv::data
