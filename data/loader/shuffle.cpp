// The keyed bijection behind the order of samples (data.md 4.3).

#include "core/base/check.h"
#include "data/loader/loader.h"
#include "data/loader/mix.h"

#include <array>
#include <bit>

namespace longconv::data {

namespace {

constexpr int kRounds = 4;

}  // namespace

std::uint64_t draw_key(std::uint64_t seed, std::int64_t epoch, std::int64_t index) {
  const std::uint64_t of_epoch = mix(mix(seed) ^ mix(~static_cast<std::uint64_t>(epoch)));
  return mix(of_epoch ^ mix(static_cast<std::uint64_t>(index)));
}

std::int64_t shuffled_index(std::uint64_t seed, std::int64_t epoch, std::int64_t position,
                            std::int64_t n) {
  LONGCONV_CHECK(position >= 0 && position < n, DataError, "shuffle: position {} outside [0, {})",
                 position, n);
  // Two halves of h bits each: 4^h >= n, so the walk below takes fewer than 4 steps on average.
  const int half = (std::bit_width(static_cast<std::uint64_t>(n - 1)) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  std::array<std::uint64_t, kRounds> keys{};
  std::uint64_t key = mix(seed) ^ mix(~static_cast<std::uint64_t>(epoch));
  for (std::uint64_t& round : keys) round = key = mix(key);

  auto x = static_cast<std::uint64_t>(position);
  do {
    std::uint64_t left = x >> half;
    std::uint64_t right = x & mask;
    for (const std::uint64_t round : keys) {
      const std::uint64_t next = left ^ (mix(right ^ round) & mask);
      left = right;
      right = next;
    }
    x = left << half | right;
  } while (x >= static_cast<std::uint64_t>(n));
  return static_cast<std::int64_t>(x);
}

}  // namespace longconv::data
