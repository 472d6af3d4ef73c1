// Philox4x32-10, a random generator without state (Salmon, Moraes, Dror, Shaw, SC'11): four words
// are a function of a counter and a key. So a mask of dropout needs no memory, and every device
// draws the same one.
#pragma once

#include "core/plan/ring_plan.h"  // LONGCONV_HOST_DEVICE

#include <cstdint>

namespace longconv::plan {

struct PhiloxWords {
  std::uint32_t word[4];
};

LONGCONV_HOST_DEVICE constexpr PhiloxWords philox(std::uint64_t counter, std::uint64_t key) {
  PhiloxWords x = {
      {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0}};
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ULL * x.word[0];
    const std::uint64_t b = 0xCD9E8D57ULL * x.word[2];
    x = {{static_cast<std::uint32_t>(b >> 32) ^ x.word[1] ^ k0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ x.word[3] ^ k1, static_cast<std::uint32_t>(a)}};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return x;
}

/// Element i of a tensor is dropped if word i % 4 of philox(i / 4, seed) is below this: with
/// probability `share`, 0 <= share < 1.
LONGCONV_HOST_DEVICE constexpr std::uint32_t drop_below(double share) {
  return static_cast<std::uint32_t>(share * 4294967296.0);
}

}  // namespace longconv::plan
