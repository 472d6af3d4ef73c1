// BED: a line a stretch of a sequence, between tabs its name, start and end (0-based, the end not
// included), and whatever columns follow. Lines that are blank or begin with "#", "track" or
// "browser" are skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

struct BedRow {
  std::string_view sequence;
  std::int64_t start = 0;
  std::int64_t end = 0;                  ///< above start
  std::vector<std::string_view> more{};  ///< the columns behind
};

/// handle(row, where) for each row; `where` is "path:line". Throws DataError with it: fewer than
/// three columns, no numbers, an empty stretch.
void for_each_bed_row(std::string_view text, const std::string& path,
                      const std::function<void(const BedRow&, const std::string&)>& handle);

}  // namespace longconv::data
