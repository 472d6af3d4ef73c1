#include "data/loader/best_fit.h"

#include "core/base/check.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace longconv::data {

std::vector<std::vector<std::int64_t>> best_fit_rows(std::span<const std::int64_t> lengths,
                                                     std::int64_t capacity) {
  std::vector<std::int64_t> items(lengths.size());
  std::iota(items.begin(), items.end(), std::int64_t{0});
  const auto length = [&](std::int64_t item) { return lengths[static_cast<std::size_t>(item)]; };
  std::stable_sort(items.begin(), items.end(),
                   [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); });
  std::vector<std::vector<std::int64_t>> rows;
  std::map<std::int64_t, std::vector<std::size_t>> room;  // rows by the tokens they still take
  for (const std::int64_t item : items) {
    const std::int64_t need = length(item);
    LONGCONV_CHECK(need >= 1 && need <= capacity, DataError,
                   "packing: item {} has {} tokens, expected 1 to {}", item, need, capacity);
    const auto tightest = room.lower_bound(need);
    std::size_t row = rows.size();
    std::int64_t left = capacity - need;
    if (tightest == room.end()) {
      rows.emplace_back();
    } else {
      left = tightest->first - need;
      row = tightest->second.back();
      tightest->second.pop_back();
      if (tightest->second.empty()) room.erase(tightest);
    }
    rows[row].push_back(item);
    if (left > 0) room[left].push_back(row);
  }
  return rows;
}

}  // namespace longconv::data
