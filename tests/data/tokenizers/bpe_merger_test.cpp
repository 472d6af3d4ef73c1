#include "data/tokenizers/bpe_merger.h"

#include "tests/data/tokenizers/small_bpe.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <ctime>
#include <random>

namespace longconv::data {
namespace {

using Ids = std::vector<std::int32_t>;
using test::small_vocabulary;

/// The definition, word for word: the adjacent pair of lowest rank, all its occurrences from the
/// left.
Ids by_definition(const BpeVocabulary& vocabulary, std::string_view piece) {
  Ids ids;
  for (const char byte : piece)
    ids.push_back(vocabulary.byte_ids[static_cast<unsigned char>(byte)]);
  while (true) {
    const auto best = std::find_if(
        vocabulary.merges.begin(), vocabulary.merges.end(), [&](const BpeMerge& merge) {
          return std::adjacent_find(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
                   return a == merge.left && b == merge.right;
                 }) != ids.end();
        });
    if (best == vocabulary.merges.end()) return ids;
    Ids next;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool both = i + 1 < ids.size() && ids[i] == best->left && ids[i + 1] == best->right;
      next.push_back(both ? best->result : ids[i]);
      if (both) ++i;
    }
    ids = next;
  }
}

/// Merges over the letters a to d; shuffled they are such as no training gives: a part may be made
/// by a later merge than the one that uses it.
BpeVocabulary random_vocabulary(std::mt19937& random, bool shuffled) {
  std::vector<std::string> tokens{"a", "b", "c", "d"};
  test::WrittenMerges merges;
  for (int i = 0; i < 25; ++i) {
    const std::string left = tokens[random() % tokens.size()];
    const std::string right = tokens[random() % tokens.size()];
    const auto same = [&](const auto& merge) {
      return merge.first == left && merge.second == right;
    };
    if (std::any_of(merges.begin(), merges.end(), same)) continue;
    merges.emplace_back(left, right);
    tokens.push_back(left + right);
  }
  if (shuffled) std::shuffle(merges.begin(), merges.end(), random);
  return small_vocabulary(merges);
}

TEST(BpeMerger, FollowsTheDefinitionBothWays) {
  std::mt19937 random(5);
  int merged = 0;
  for (int round = 0; round < 60; ++round) {
    const BpeVocabulary vocabulary = random_vocabulary(random, round % 2 == 1);
    const BpeMerger merger(vocabulary);
    BpeScratch scratch;
    for (int i = 0; i < 30; ++i) {
      std::string piece(1 + random() % BpeMerger::kShortBytes, 'a');
      for (char& c : piece) c = "abcd"[random() % 4];
      const Ids want = by_definition(vocabulary, piece);
      Ids scanned;
      merger.short_piece(piece, scanned);
      Ids heaped;
      merger.long_piece(piece, scratch, heaped);
      ASSERT_EQ(scanned, want) << piece;
      ASSERT_EQ(heaped, want) << piece;
      merged += want.size() < piece.size() ? 1 : 0;
    }
  }
  EXPECT_GT(merged, 900) << "hardly anything merged: the test would pass without merges";
}

TEST(BpeMerger, ReplacesOverlappingPairsFromTheLeft) {
  const BpeVocabulary vocabulary = small_vocabulary({{"a", "a"}, {"aa", "aa"}});
  const BpeMerger merger(vocabulary);
  BpeScratch scratch;
  Ids ids;
  merger.merge(std::string(5, 'a'), scratch, ids);
  EXPECT_THAT(ids, ::testing::ElementsAre(257, vocabulary.byte_ids['a']));
  ids.clear();
  merger.merge(std::string(103, 'a'), scratch, ids);  // 25 fours, one two, one
  ASSERT_EQ(ids.size(), 27U);
  EXPECT_EQ(ids[24], 257);
  EXPECT_EQ(ids[25], 256);
}

/// CPU seconds for one word of so many letters, the best of a few.
double seconds(const BpeMerger& merger, std::size_t letters) {
  std::string word(letters, 'a');
  std::mt19937 random(11);
  for (char& c : word) c = "abcd"[random() % 4];
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    BpeScratch scratch;
    Ids ids;
    const std::clock_t begin = std::clock();
    merger.merge(word, scratch, ids);
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return best;
}

TEST(BpeMerger, TakesTimeInProportionToTheWord) {
  std::mt19937 random(7);
  const BpeMerger merger(random_vocabulary(random, false));
  const double small = seconds(merger, 8'193);
  const double large = seconds(merger, 65'537);
  // Eight times the letters: quadratic would be 64 times the time.
  EXPECT_LT(large, 24 * small) << small << " s and " << large << " s";
  EXPECT_LT(large, 1.0);
}

}  // namespace
}  // namespace longconv::data
