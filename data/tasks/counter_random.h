// Random numbers of one generated item: a pure function of (seed, item), so that any item can be
// made again alone, in any order, on any thread.
#pragma once

#include "data/loader/mix.h"

#include <cstdint>

namespace longconv::data {

/// splitmix64 from a start that (seed, item) hash to; 2^64 starts, so streams do not meet.
class CounterRandom {
 public:
  CounterRandom(std::uint64_t seed, std::uint64_t item) : state_(mix(mix(seed) ^ mix(~item))) {}

  std::uint64_t next() {
    const std::uint64_t word = mix(state_);
    state_ += 0x9E3779B97F4A7C15ULL;
    return word;
  }
  /// In [0, bound), 1 <= bound < 2^32; the bias of the multiplication is below bound / 2^32.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }
  /// In [low, high], both included.
  int between(int low, int high) {
    return low + static_cast<int>(below(static_cast<std::uint32_t>(high - low + 1)));
  }
  /// In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace longconv::data
