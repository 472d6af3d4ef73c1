#include "data/formats/text_table.h"

#include "core/base/check.h"

namespace longconv::data {

namespace {

int label_of(std::string_view field, const std::string& where) {
  const bool one = field == "1" || field == "1.0";
  LONGCONV_CHECK(one || field == "0" || field == "0.0", DataError,
                 "{}: label \"{:.20}\", expected 0 or 1", where, field);
  return one ? 1 : 0;
}

}  // namespace

TextTable::TextTable(std::string_view text, const std::string& path, TextTableLayout layout)
    : lines_(text, path), path_(path), layout_(layout) {}

bool TextTable::next(LabelledTexts& row) {
  std::string_view line;
  if (!lines_.next(line)) {
    LONGCONV_CHECK(any_, DataError, "{}: empty", path_);
    return false;
  }
  any_ = true;
  const std::string where = lines_.where();
  const auto fields = split_fields(line, '\t');
  LONGCONV_CHECK(fields.size() == layout_.columns, DataError,
                 "{}: {} fields between tabs, expected {}", where, fields.size(), layout_.columns);
  row = {label_of(fields.front(), where), {}};
  for (std::size_t i = layout_.columns - layout_.texts; i < layout_.columns; ++i) {
    LONGCONV_CHECK(!fields[i].empty(), DataError, "{}: field {} is empty", where, i + 1);
    row.texts.push_back(fields[i]);
  }
  if (layout_.unique_pairs) check_ids(fields, where);
  return true;
}

void TextTable::check_ids(const std::vector<std::string_view>& fields, const std::string& where) {
  constexpr std::string_view kNext = "allow_duplicates=true takes all";
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    const std::uint64_t text = std::hash<std::string_view>()(fields[i + 2]);
    const auto [seen, fresh] = documents_.try_emplace(std::string(fields[i]), Seen{where, text});
    LONGCONV_CHECK(fresh || seen->second.text == text, DataError,
                   "{}: the id {} stands for another text than at {}; {}", where, fields[i],
                   seen->second.where, kNext);
  }
  const auto [seen, fresh] = pairs_.emplace(std::pair(fields[1], fields[2]), where);
  LONGCONV_CHECK(fresh, DataError, "{}: the pair {}, {} a second time, first at {}; {}", where,
                 fields[1], fields[2], seen->second, kNext);
}

}  // namespace longconv::data
