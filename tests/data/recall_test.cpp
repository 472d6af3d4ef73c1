#include "data/tasks/recall.h"

#include "core/base/error.h"
#include "data/tasks/samples.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <map>

namespace longconv::data {
namespace {

using test::message_of;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Recall, SymbolsAreSortedAsText) {
  EXPECT_THAT(synthetic_symbols(14),
              ElementsAre(".", "0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9", "=>"));
}

TEST(Recall, TheAnswerStandsBehindTheKey) {
  RecallConfig config;
  const std::uint16_t trigger = 19;
  std::map<std::uint16_t, int> answers;
  for (int i = 0; i < 200; ++i) {
    const auto symbols = recall_sequence(config, i);
    ASSERT_EQ(symbols.size(), 131U);
    EXPECT_EQ(symbols[128], trigger);
    bool found = false;
    for (std::size_t at = 0; at < 128; at += 2) {
      EXPECT_LE(symbols[at], 9) << "keys are the first half";
      EXPECT_GE(symbols[at + 1], 10) << "values the second";
      if (symbols[at] != symbols[129]) continue;
      found = true;
      EXPECT_EQ(symbols[at + 1], symbols[130]);
    }
    EXPECT_TRUE(found) << "only what has been there is asked";
    ++answers[symbols.back()];
  }
  EXPECT_GE(answers.size(), 8U) << "the map is drawn anew each time";
  EXPECT_NE(recall_sequence(config, 0), recall_sequence(config, 1));
  EXPECT_EQ(recall_sequence(config, 5), recall_sequence(config, 5));
}

TEST(Induction, TheAnswerStandsBehindEveryTrigger) {
  InductionConfig config;
  config.triggers.set(4);
  std::map<std::size_t, int> planted;
  for (int i = 0; i < 200; ++i) {
    const auto symbols = induction_sequence(config, i);
    ASSERT_EQ(symbols.size(), 130U);
    std::size_t triggers = 0;
    for (std::size_t at = 0; at + 1 < symbols.size(); ++at) {
      if (symbols[at] != 19) continue;
      ++triggers;
      EXPECT_EQ(symbols[at + 1], symbols.back());
    }
    ++planted[triggers - 1];
  }
  EXPECT_EQ(planted.count(0), 0U);
  EXPECT_GT(planted[1], 20);
  EXPECT_GT(planted[3] + planted[4], 20);
}

TEST(Recall, StreamsNextSymbolTargets) {
  RecallConfig config;
  config.input_len.set(6);
  const RecallStream stream(config, /*score_all=*/true);
  EXPECT_EQ(stream.seq_len(), 8);
  const auto symbols = recall_sequence(config, 3);
  const Batch batch = stream.get(std::vector<std::int64_t>{3});
  const auto* input = batch.input.const_data_ptr<std::int64_t>();
  const auto* target = batch.target.const_data_ptr<std::int64_t>();
  for (std::size_t t = 0; t < 8; ++t) {
    EXPECT_EQ(input[t], symbols[t]);
    EXPECT_EQ(target[t], symbols[t + 1]);
  }
  const Batch scored = RecallStream(config, /*score_all=*/false).get(std::vector<std::int64_t>{3});
  const auto* last = scored.target.const_data_ptr<std::int64_t>();
  for (std::size_t t = 0; t < 7; ++t) EXPECT_EQ(last[t], -100);
  EXPECT_EQ(last[7], symbols.back());
  EXPECT_THAT(message_of<DataError>([&] { (void)stream.get(std::vector<std::int64_t>{5000}); }),
              HasSubstr("there are 5000"));
}

TEST(Recall, ShardsAreTheSameForAnyNumberOfThreads) {
  const test::ScratchFolder folder;
  InductionConfig config;
  for (const int threads : {1, 3})
    write_induction(config, folder / std::to_string(threads), threads);
  EXPECT_TRUE(slurp(folder / "1") == slurp(folder / "3"));
  const SampleShard shard(folder / "1");
  EXPECT_EQ(shard.view().label(7), induction_sequence(config, 7).back());
}

}  // namespace
}  // namespace longconv::data
