#include "data/formats/bed.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"

namespace longconv::data {

void for_each_bed_row(std::string_view text, const std::string& path,
                      const std::function<void(const BedRow&, const std::string&)>& handle) {
  for_each_text_line(text, path, [&](std::string_view line, const std::string& where) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    if (line.empty() || line.front() == '#' || word == "track" || word == "browser") return;
    const auto fields = split_fields(line, '\t');
    LONGCONV_CHECK(fields.size() >= 3, DataError,
                   "{}: {} columns between tabs, expected a sequence, a start and an end", where,
                   fields.size());
    BedRow row;
    row.sequence = fields[0];
    row.start = whole_number(fields[1], where);
    row.end = whole_number(fields[2], where);
    LONGCONV_CHECK(!row.sequence.empty() && row.start < row.end, DataError,
                   "{}: \"{:.80}\" [{}, {}): expected the name of a sequence and a start below the "
                   "end",
                   where, row.sequence, row.start, row.end);
    row.more.assign(fields.begin() + 3, fields.end());
    handle(row, where);
  });
}

}  // namespace longconv::data
