// Many items made by several threads and taken in their order, whatever the threads do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <vector>

namespace longconv::data {

/// make(i) for i in [0, count) on `threads` threads (at least 1), take(item) on this one, in order.
/// What make or take throws comes out of here, after the threads have ended.
template <class Make, class Take>
void in_order(std::int64_t count, std::int64_t threads, std::int64_t block, const Make& make,
              const Take& take) {
  using Item = decltype(make(std::int64_t{0}));
  std::deque<std::future<std::vector<Item>>> running;  // a future's end waits for its thread
  std::int64_t started = 0;
  while (started < count || !running.empty()) {
    while (started < count &&
           static_cast<std::int64_t>(running.size()) < std::max<std::int64_t>(threads, 1)) {
      const std::int64_t begin = started;
      started = std::min(count, begin + block);
      running.push_back(std::async(std::launch::async, [begin, end = started, &make] {
        std::vector<Item> items;
        items.reserve(static_cast<std::size_t>(end - begin));
        for (std::int64_t i = begin; i < end; ++i) items.push_back(make(i));
        return items;
      }));
    }
    for (Item& item : running.front().get()) take(item);
    running.pop_front();
  }
}

}  // namespace longconv::data
