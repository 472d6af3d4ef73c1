#include "data/tasks/listops.h"

#include "core/base/error.h"
#include "data/tasks/samples.h"
#include "data/tokenizers/listops_file.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using test::slurp;
using ::testing::HasSubstr;

int value_of(const std::string& source) {
  return listops_value(parse_listops(source, "here"), "here");
}

TEST(ListOps, AreComputedAsPublished) {
  EXPECT_EQ(value_of("7"), 7);
  EXPECT_EQ(value_of("( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )"), 9);
  EXPECT_EQ(value_of("[MED 1 2 9 ]"), 2);
  EXPECT_EQ(value_of("[MED 9 4 1 7 ]"), 5) << "the mean of 4 and 7, truncated";
  EXPECT_EQ(value_of("[SM 9 8 7 ]"), 4);
  EXPECT_EQ(value_of("[MIN [SM 5 5 ] [MAX 3 1 ] ]"), 0);
}

TEST(ListOps, WhatIsNoExpressionIsAnError) {
  for (const char* wrong : {"", "]", "[MAX 1", "1 2", "[MAX ]", "[MAX 1 ] 2", "( )"}) {
    EXPECT_THAT(message_of<DataError>([&] { value_of(wrong); }), HasSubstr("here: ")) << wrong;
  }
  EXPECT_THAT(message_of<DataError>([] { value_of("[MEAN 1 ]"); }),
              HasSubstr("here: symbol 1 belongs to no expression"));
  EXPECT_THAT(message_of<DataError>([] { value_of("<eos>"); }),
              HasSubstr("symbol 1 belongs to no"));
}

TEST(ListOps, GeneratedOnesHaveThePublishedStatistics) {
  const test::ScratchFolder folder;
  ListOpsConfig config;
  config.count.set(2000);
  write_listops(config, folder / "a.lcs", 2);
  const SampleShard shard(folder / "a.lcs");
  std::array<double, 18> symbols{};
  std::array<double, 10> answers{};
  double all = 0;
  double squares = 0;
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < 2000; ++i) {
    const std::int64_t length = shard.view().length(i, 0) - 1;  // without the end
    EXPECT_GT(length, 500);
    EXPECT_LT(length, 2000);
    all += static_cast<double>(length);
    squares += static_cast<double>(length * length);
    values.resize(static_cast<std::size_t>(length) + 1);
    shard.view().read(i, 0, values);
    EXPECT_EQ(values.back(), 2);
    for (const std::int64_t value : values) symbols[static_cast<std::size_t>(value)] += 1;
    answers[static_cast<std::size_t>(shard.view().label(i))] += 1.0 / 2000;
  }
  const double mean = all / 2000;
  EXPECT_NEAR(mean, 1035, 4 * 395 / std::sqrt(2000.0));
  EXPECT_NEAR(std::sqrt(squares / 2000 - mean * mean), 395, 20);
  EXPECT_NEAR(symbols[3] / all, 0.142, 0.002);
  for (std::size_t digit = 4; digit < 14; ++digit) EXPECT_NEAR(symbols[digit] / all, 0.0715, 0.002);
  for (std::size_t op = 14; op < 18; ++op) EXPECT_NEAR(symbols[op] / all, 0.0355, 0.002);
  // 4 binomial deviations of 2,000 draws are 0.03 or less.
  const std::array<double, 10> published = {.168, .093, .073, .082, .089,
                                            .088, .077, .075, .085, .170};
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(answers[i], published[i], 0.034) << i;
}

TEST(ListOps, AreTheSameForAnyNumberOfThreadsAndSplitAsPublished) {
  const test::ScratchFolder folder;
  ListOpsConfig config;
  config.count.set(300);
  for (const int threads : {1, 3}) write_listops(config, folder / std::to_string(threads), threads);
  EXPECT_TRUE(slurp(folder / "1") == slurp(folder / "3"));
  SampleConfig read;
  read.path.set((folder / "1").string());
  EXPECT_EQ(SampleDataset(read).size(), 288);
  read.split.part.set("test");
  EXPECT_EQ(SampleDataset(read).size(), 6);
}

TEST(ListOps, ShortOnesAreNeverTwice) {
  const test::ScratchFolder folder;
  ListOpsConfig config;
  config.count.set(150);
  config.longer_than.set(0);
  config.shorter_than.set(5);  // digits, and operators of two digits: 10 + 4 x 100
  config.max_args.set(2);
  write_listops(config, folder / "a.lcs", 1);
  const SampleShard shard(folder / "a.lcs");
  std::set<std::vector<std::int64_t>> seen;
  for (std::int64_t i = 0; i < 150; ++i) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(shard.view().length(i, 0)));
    shard.view().read(i, 0, values);
    EXPECT_TRUE(seen.insert(values).second) << i;
  }
}

class ListOpsFiles : public ::testing::Test {
 protected:
  ListOpsFiles() {
    for (const char* part : {"train", "val", "test"}) {
      put(file(part), "Source\tTarget\r\n( ( [MAX 2 ) 9 ) ]\t9\r\n[SM 9 9 ]\t8\r\n");
    }
  }
  [[nodiscard]] std::filesystem::path file(const std::string& part) const {
    return folder_ / ("basic_" + part + ".tsv");
  }
  Written prepare() {
    return prepare_listops(ListOpsFilesConfig(), folder_.path(), folder_ / "a.lcs", 1);
  }
  test::ScratchFolder folder_;
};

TEST_F(ListOpsFiles, AreReadWithTheirWindowsLineEnds) {
  EXPECT_EQ(prepare().samples, 6);
  const SampleShard shard(folder_ / "a.lcs");
  std::vector<std::int64_t> values(5);
  EXPECT_EQ(shard.view().read(0, 0, values), 5U);
  EXPECT_THAT(values, ::testing::ElementsAre(15, 6, 13, 3, 2));
  EXPECT_EQ(shard.view().label(0), 9);
}

TEST_F(ListOpsFiles, ByteOrderMarksAreNoPartOfTheHeader) {
  put(file("val"), "\xEF\xBB\xBFSource\tTarget\n1\t1\n");
  EXPECT_EQ(prepare().samples, 5);
}

TEST_F(ListOpsFiles, EveryMistakeHasFileAndLine) {
  const auto says = [&](const std::string& content) {
    put(file("val"), content);
    return message_of<DataError>([&] { prepare(); });
  };
  EXPECT_THAT(says(""), HasSubstr("basic_val.tsv: no expression in it"));
  EXPECT_THAT(says("Target\n1\t1\n"), HasSubstr("basic_val.tsv:1: expected the header"));
  EXPECT_THAT(says("Source\tTarget\n1\t1\n[MAX 1 2 ]\t1\n"),
              HasSubstr("basic_val.tsv:3: the answer is 1, but the expression gives 2"));
  EXPECT_THAT(says("Source\tTarget\n1\t1\t1\n"),
              HasSubstr("basic_val.tsv:2: expected an expression"));
  EXPECT_THAT(says("Source\tTarget\n1\t12\n"), HasSubstr("a digit"));
  EXPECT_THAT(says("Source\tTarget\n\t1\n"), HasSubstr("basic_val.tsv:2: no expression"));
  EXPECT_THAT(says("Source\tTarget\n[MAX 1\t1\n"), HasSubstr("not closed"));
  EXPECT_THAT(says("Source\tTarget\n1\xff\t1\n"),
              HasSubstr("basic_val.tsv:2: not UTF-8 at byte 15"));
  std::filesystem::remove(file("val"));
  EXPECT_THAT(message_of<DataError>([&] { prepare(); }), HasSubstr("basic_val.tsv"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.lcs"));
}

}  // namespace
}  // namespace longconv::data
