// Philox4x32-10 against the known answers of Random123 (kat_vectors), and the shares it drops.
#include "core/plan/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace longconv::plan {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words words(std::uint64_t counter, std::uint64_t key) {
  const PhiloxWords x = philox(counter, key);
  return {x.word[0], x.word[1], x.word[2], x.word[3]};
}

TEST(Philox, GivesTheKnownAnswer) {
  EXPECT_EQ(words(0, 0), (Words{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
}

TEST(Philox, CountersAndKeysAllCount) {
  const Words one = words(7, 9);
  EXPECT_NE(one, words(8, 9));
  EXPECT_NE(one, words(7 | std::uint64_t{1} << 40, 9));
  EXPECT_NE(one, words(7, 10));
  EXPECT_NE(one, words(7, 9 | std::uint64_t{1} << 40));
}

TEST(Philox, DropsTheShareAsked) {
  constexpr int kDraws = 40000;
  for (const double share : {0.1, 0.3, 0.75}) {
    int dropped = 0;
    for (int i = 0; i < kDraws / 4; ++i) {
      for (const std::uint32_t word : words(static_cast<std::uint64_t>(i), 12345)) {
        dropped += word < drop_below(share) ? 1 : 0;
      }
    }
    // Four standard deviations.
    EXPECT_NEAR(dropped, share * kDraws, 4.0 * std::sqrt(kDraws * share * (1.0 - share)));
  }
  EXPECT_EQ(drop_below(0.0), 0U);
}

}  // namespace
}  // namespace longconv::plan
