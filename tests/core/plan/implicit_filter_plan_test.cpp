// The plan of the fused implicit filter: who does what, where it is summed, and shared memory's
// banks.
#include "core/plan/implicit_filter_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace longconv::plan {
namespace {

std::vector<SynthesisShape> shapes() {
  std::vector<SynthesisShape> all;
  for (const long long length : {1LL, 127LL, 128LL, 129LL, 2048LL, 8448LL, 32768LL, 1LL << 20}) {
    for (const long long channels : {1LL, 64LL, 65LL, 256LL, 864LL, 4096LL}) {
      for (const int width : {1, 64, 65, 128}) all.push_back({length, 5, width, 3, channels});
    }
  }
  return all;
}

TEST(SynthesisPlan, CoversEveryStepAndChannelOnce) {
  for (const SynthesisShape& s : shapes()) {
    const SynthesisPlan p = synthesis_plan(s);
    EXPECT_GE(p.tiles * kTileSteps, s.length);
    EXPECT_LT((p.tiles - 1) * kTileSteps, s.length);
    EXPECT_EQ(p.slice_channels % kChunk, 0);
    EXPECT_GE(p.slices * p.slice_channels, s.channels);
    EXPECT_LT((p.slices - 1) * p.slice_channels, s.channels) << "a slice without work";
    EXPECT_GE(p.time_blocks, 1);
    EXPECT_LE(p.time_blocks, p.tiles) << "a block without work";
    EXPECT_LE(p.slots(), kSynthesisBlocks);
    EXPECT_GE(p.padded_width, s.width);
    EXPECT_EQ(p.padded_features, 8);
  }
}

TEST(SynthesisPlan, GivesMostBlocksWorkWhereThereIsEnough) {
  // Hyena-GPT's 864 channels at 2,048 steps: 16 tiles, so the channels are shared out.
  const SynthesisPlan p = synthesis_plan({2048, 33, 64, 3, 864});
  EXPECT_EQ(p.slices, 7);
  EXPECT_EQ(p.time_blocks, 16);
  // HyenaDNA's 256 at 32,768 have tiles enough.
  EXPECT_EQ(synthesis_plan({32768, 5, 64, 3, 256}).slots(), 256);
  EXPECT_EQ(synthesis_plan({32768, 5, 64, 3, 256}).slices, 1);
}

TEST(SynthesisPlan, SlotsHoldTheirPartsSideBySide) {
  for (const SynthesisShape& s : shapes()) {
    const SynthesisPlan p = synthesis_plan(s);
    long long end = static_cast<long long>(1 + s.layers) * p.padded_width;  // freq and biases
    for (int layer = 0; layer < s.layers; ++layer) {
      EXPECT_EQ(p.weight_at(layer), end);
      end += static_cast<long long>(p.padded_width) * p.padded_width;
    }
    EXPECT_EQ(p.last_weight_at(), end);
    EXPECT_EQ(p.slot_floats(), end + p.slice_channels * p.padded_width);
  }
}

TEST(Swizzle, IsOneToOneAndKeepsFoursTogether) {
  for (const int stride : {64, 128}) {
    std::set<int> places;
    for (int row = 0; row < 64; ++row) {
      for (int column = 0; column < stride; ++column) {
        const int place = swizzled(row, column, stride);
        EXPECT_EQ(place / stride, row);
        places.insert(place);
        EXPECT_EQ(place, swizzled(row, column / 4 * 4, stride) + column % 4);
      }
    }
    EXPECT_EQ(places.size(), static_cast<std::size_t>(64 * stride));
  }
}

TEST(Swizzle, BothKindsOfOperandMeetEveryBankOnce) {
  for (const int stride : {64, 128}) {
    for (int row = 0; row < 64; row += 8) {
      for (int column = 0; column < stride; column += 8) {
        for (const int half : {0, 4}) {
          std::set<int> along;
          std::set<int> across;
          for (int g = 0; g < 8; ++g) {
            for (int q = 0; q < 4; ++q) {
              along.insert(swizzled(row + g, column + half + q, stride) % 32);
              across.insert(swizzled(row + half + q, column + g, stride) % 32);
            }
          }
          EXPECT_EQ(along.size(), 32U);
          EXPECT_EQ(across.size(), 32U);
        }
      }
    }
  }
}

}  // namespace
}  // namespace longconv::plan
