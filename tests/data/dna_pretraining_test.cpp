// HyenaDNA's windows on a genome small enough to write down.
#include "data/tasks/dna_pretraining.h"

#include "data/tasks/counter_random.h"
#include "data/tasks/dna_rows.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 24 bases: positions 0 to 23.
const char kChromosome[] = "ACGTTGCAACGGTTNNACacgtRA";

std::vector<std::int64_t> row_of(const at::Tensor& tensor, std::int64_t row) {
  const auto width = static_cast<std::size_t>(tensor.size(1));
  const auto* data = tensor.const_data_ptr<std::int64_t>() + row * tensor.size(1);
  return {data, data + width};
}

class DnaWindows : public ::testing::Test {
 protected:
  DnaWindows() {
    config.genome.set(put(folder_ / "g.fa", ">c\n" + std::string(kChromosome) + "\n"));
  }
  void intervals(const std::string& bed) { config.intervals.set(put(folder_ / "i.bed", bed)); }
  /// The only window, from the input and the last target: all ids.
  std::vector<std::int64_t> ids() {
    const DnaPretraining data = open();
    const Batch batch = data.get(std::vector<std::int64_t>{0});
    std::vector<std::int64_t> all = row_of(batch.input, 0);
    const auto target = row_of(batch.target, 0);
    EXPECT_TRUE(std::equal(all.begin() + 1, all.end(), target.begin(), target.end() - 1,
                           [&](std::int64_t a, std::int64_t b) {
                             return a == b || (config.ignore_padding() && a == 4 && b == -100);
                           }));
    all.push_back(target.back());
    return all;
  }
  DnaPretraining open() const { return {config, part, length}; }
  test::ScratchFolder folder_;
  DnaPretrainingConfig config;
  std::string part = "train";
  std::int64_t length = 8;
};

TEST_F(DnaWindows, OnlyTheFirstBasesOfALongIntervalAreUsed) {
  intervals("c\t2\t20\ttrain\n");
  EXPECT_THAT(ids(), ElementsAre(9, 10, 10, 9, 8, 7, 7, 1));  // GTTGCAA and the end
  config.end_symbol.set(false);
  EXPECT_THAT(ids(), ElementsAre(9, 10, 10, 9, 8, 7, 7, 8));
}

TEST_F(DnaWindows, AShortIntervalGrowsOnBothSides) {
  intervals("c\t7\t10\ttrain\n");  // extra 5: 2 to the left, 3 to the right: [5, 13)
  EXPECT_THAT(ids(), ElementsAre(9, 8, 7, 7, 8, 9, 9, 1));  // GCAACGG
}

TEST_F(DnaWindows, WhatLiesOutsideIsPaddingOnTheLeft) {
  intervals("c\t0\t2\ttrain\n");  // [-3, 5)
  EXPECT_EQ(window_of(0, 2, 8, 24), (GenomeWindow{0, 5, 3, 0}));
  EXPECT_THAT(ids(), ElementsAre(4, 4, 7, 8, 9, 10, 10, 1));
  config.pad_interval.set(true);
  EXPECT_THAT(ids(), ElementsAre(6, 6, 6, 7, 8, 9, 10, 1));  // "...ACGTT", cut to 7
  intervals("c\t22\t24\ttrain\n");                           // [19, 27)
  EXPECT_EQ(window_of(22, 24, 8, 24), (GenomeWindow{19, 24, 0, 3}));
  EXPECT_THAT(ids(), ElementsAre(8, 9, 10, 11, 7, 6, 6, 1));  // cgtRA..
  config.pad_interval.set(false);
  EXPECT_THAT(ids(), ElementsAre(4, 4, 8, 9, 10, 11, 7, 1));
  config.ignore_padding.set(false);
  EXPECT_THAT(ids(), ElementsAre(4, 4, 8, 9, 10, 11, 7, 1));
}

TEST_F(DnaWindows, LowerCaseAndCodesAreReadByTheChosenRule) {
  intervals("c\t16\t24\ttrain\n");
  config.end_symbol.set(false);
  EXPECT_THAT(ids(), ElementsAre(7, 8, 7, 8, 9, 10, 11, 7));
  config.upper_case.set(false);
  EXPECT_THAT(ids(), ElementsAre(7, 8, 6, 6, 6, 6, 6, 7));
}

TEST_F(DnaWindows, UnknownBasesMayBecomePaddingThatDoesNotCount) {
  intervals("c\t12\t20\ttrain\n");
  EXPECT_THAT(ids(), ElementsAre(10, 10, 11, 11, 7, 8, 7, 1));
  config.n_is_padding.set(true);
  const Batch batch = open().get(std::vector<std::int64_t>{0});
  EXPECT_THAT(row_of(batch.input, 0), ElementsAre(10, 10, 4, 4, 7, 8, 7));
  EXPECT_THAT(row_of(batch.target, 0), ElementsAre(10, -100, -100, 7, 8, 7, 1));
}

TEST_F(DnaWindows, PartsAreThoseOfTheFileAndTooManyNAreLeftOut) {
  intervals("c\t0\t8\ttrain\nc\t8\t16\tvalid\nc\t12\t20\ttrain\nc\t0\t4\ttest\n");
  EXPECT_EQ(open().size(), 2);
  config.max_n_share.set(0.1);
  const DnaPretraining fewer = open();
  EXPECT_EQ(fewer.size(), 1);
  EXPECT_EQ(fewer.left_out(), 1);
  part = "validation";
  EXPECT_THAT(message_of<DataError>([&] { open(); }),
              HasSubstr("every window of part \"validation\""));
  config.max_n_share.set(0.25);
  EXPECT_EQ(open().size(), 1);
}

TEST_F(DnaWindows, AugmentationIsAFunctionOfTheKeyAndOnlyForTraining) {
  intervals("c\t6\t12\ttrain\nc\t6\t12\tvalid\n");
  config.reverse_complement.set(true);
  config.shift_left.set(30);
  config.shift_right.set(30);
  length = 6;
  const DnaPretraining data = open();
  EXPECT_EQ(data.bases(0, nullptr), "CAACGG");
  const std::string chromosome = kChromosome;
  std::string other(chromosome.rbegin(), chromosome.rend());
  for (char& base : other) {
    const auto at = std::string("ACGTacgt").find(base);
    if (at != std::string::npos) base = "TGCAtgca"[at];
  }
  std::set<std::string> seen;
  int reversed = 0;
  for (std::uint64_t key = 0; key < 2000; ++key) {
    const std::string bases = data.bases(0, &key);
    ASSERT_EQ(bases, data.bases(0, &key));
    ASSERT_EQ(bases.size(), 6U);
    const bool forward = chromosome.find(bases) != std::string::npos;
    ASSERT_TRUE(forward || other.find(bases) != std::string::npos) << bases;
    reversed += forward ? 0 : 1;
    seen.insert(bases);
  }
  std::set<std::string> all;  // every start that keeps it inside, on either strand
  for (std::size_t start = 0; start + 6 <= chromosome.size(); ++start) {
    all.insert(chromosome.substr(start, 6));
    all.insert(other.substr(start, 6));
  }
  EXPECT_EQ(seen, all);
  EXPECT_GT(reversed, 600);  // some windows are their own other strand
  EXPECT_LT(reversed, 1100);
  const std::vector<std::int64_t> zero{0};
  const std::vector<std::uint64_t> key{12345};
  part = "validation";
  const DnaPretraining validation = open();
  EXPECT_TRUE(validation.draw(zero, key).input.equal(validation.get(zero).input));
}

TEST_F(DnaWindows, EpochsDifferAndAnyPositionCanBeResumed) {
  std::string bed;
  for (int i = 0; i < 7; ++i)
    bed += "c\t" + std::to_string(i) + "\t" + std::to_string(i + 9) + "\ttrain\n";
  intervals(bed);
  config.reverse_complement.set(true);
  const auto data = std::make_shared<DnaPretraining>(config, part, length);
  LoaderOptions options;
  options.batch_size = 3;
  options.seed = 5;
  options.workers = 0;
  std::vector<at::Tensor> want;
  Loader plain(data, options);
  for (int i = 0; i < 14; ++i) want.push_back(plain.next().input);
  // The second epoch shows the same windows in another way.
  bool differs = false;
  for (int i = 0; i < 7; ++i) differs |= !want[i].equal(want[i + 7]);
  EXPECT_TRUE(differs);
  options.workers = 3;
  for (std::int64_t from = 0; from < 14; ++from) {
    Loader loader(data, options);
    loader.seek({5, from * 3});
    for (std::size_t i = static_cast<std::size_t>(from); i < 14; ++i) {
      ASSERT_TRUE(loader.next().input.equal(want[i])) << from << " " << i;
    }
  }
}

TEST_F(DnaWindows, AStageOfAWarmUpIsTheSameIntervalsAtAnotherLength) {
  intervals("c\t2\t20\ttrain\n");
  const DnaPretraining data = open();
  const auto longer = data.at_length(16);
  EXPECT_EQ(longer->seq_len(), 15);
  length = 16;
  const std::vector<std::int64_t> zero{0};
  EXPECT_TRUE(longer->get(zero).input.equal(open().get(zero).input));
}

TEST_F(DnaWindows, IntervalsOfAnotherAssemblyAreErrorsWithTheirLine) {
  const auto says = [&](const std::string& bed) {
    intervals(bed);
    return message_of<DataError>([&] { open(); });
  };
  EXPECT_THAT(says("c\t0\t8\ttrain\nd\t0\t8\ttrain\n"), HasSubstr("i.bed:2: "));
  EXPECT_THAT(says("d\t0\t8\ttrain\n"), HasSubstr("has no sequence \"d\""));
  EXPECT_THAT(says("c\t0\t25\ttrain\n"), HasSubstr("i.bed:1: [0, 25) of c, which has 24 bases"));
  EXPECT_THAT(says("c\t0\t8\n"), HasSubstr("i.bed:1: fourth column \"\""));
  EXPECT_THAT(says("c\t0\t8\tdev\n"), HasSubstr("fourth column \"dev\""));
  EXPECT_THAT(says("c\t0\t8\ttest\n"), HasSubstr("no interval of part \"train\""));
  config.intervals.set("");
  EXPECT_THAT(message_of<ConfigError>([&] { open(); }), HasSubstr("intervals: "));
  intervals("c\t0\t8\ttrain\n");
  config.genome.set("");
  EXPECT_THAT(message_of<ConfigError>([&] { open(); }), HasSubstr("genome: "));
}

TEST_F(DnaWindows, TilesCoverARegionWithTheEndBehindThePadding) {
  DnaTilesConfig tiles;
  tiles.genome.set(config.genome());
  tiles.seq_len.set(5);
  tiles.regions.set({"c:1-13", "c:12-16"});
  tiles.n_is_padding.set(true);
  tiles.ignore_padding.set(false);
  const DnaTiles data(tiles);
  ASSERT_EQ(data.size(), 4);
  EXPECT_EQ(data.seq_len(), 5);
  const Batch batch = data.get(std::vector<std::int64_t>{0, 2, 3});
  EXPECT_THAT(row_of(batch.input, 0), ElementsAre(8, 9, 10, 10, 9));  // CGTTG
  EXPECT_THAT(row_of(batch.target, 0), ElementsAre(9, 10, 10, 9, 1));
  EXPECT_THAT(row_of(batch.input, 1), ElementsAre(4, 4, 4, 9, 10));  // GT, the last two of 12
  EXPECT_THAT(row_of(batch.target, 1), ElementsAre(4, 4, 9, 10, 1));
  EXPECT_THAT(row_of(batch.input, 2), ElementsAre(4, 10, 10, 4, 4));  // TTNN
  for (const char* region : {"c", "c:1", "d:1-2", "c:2-2", "c:1-25", "c:x-3"}) {
    tiles.regions.set({region});
    EXPECT_THAT(message_of<ConfigError>([&] { DnaTiles{tiles}; }), HasSubstr("regions: "));
  }
}

TEST_F(DnaWindows, WindowsOfMoreThanTwoMillionBasesAreRead) {
  std::string genome(2'400'000, 'A');
  for (std::size_t i = 0; i < genome.size(); ++i) genome[i] = "ACGT"[(i * i / 7) % 4];
  std::string text = ">long\n";
  for (std::size_t at = 0; at < genome.size(); at += 60) text += genome.substr(at, 60) + "\n";
  DnaTilesConfig tiles;
  tiles.genome.set(put(folder_ / "long.fa", text));
  tiles.seq_len.set(2'300'000);
  tiles.regions.set({"long:50000-2350000"});
  const DnaTiles data(tiles);
  ASSERT_EQ(data.size(), 1);
  const auto got = row_of(data.get(std::vector<std::int64_t>{0}).input, 0);
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ("ACGT"[got[i] - 7], genome[50'000 + i]) << i;
  }
}

}  // namespace
}  // namespace longconv::data
