#include "data/tasks/samples.h"

#include "core/base/error.h"
#include "data/tasks/inspect_samples.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  const auto* data = flat.const_data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

/// `count` samples of `parts` sequences; sample i has i + 1 values of i % 9 + 1, and label i % 3.
std::string write_sequences(const test::ScratchFolder& folder, int count, int parts,
                            const std::vector<SampleSplit>& splits = {}) {
  SampleLayout layout;
  layout.parts = parts;
  layout.vocabulary = 10;
  layout.classes = 3;
  SampleShardWriter writer(folder / "s.lcs", layout);
  for (int i = 0; i < count; ++i) {
    for (int part = 0; part < parts; ++part) {
      writer.add_part(std::vector<std::uint8_t>(static_cast<std::size_t>(i + 1 + part),
                                                static_cast<std::uint8_t>(i % 9 + 1)));
    }
    writer.add_row(std::array<std::int32_t, 1>{i % 3});
  }
  SampleFacts facts;
  facts.task = "test";
  facts.splits = splits;
  writer.finish(to_json(facts));
  return (folder / "s.lcs").string();
}

TEST(Samples, SequencesArePaddedOnTheRightToTheBatchsLongest) {
  const test::ScratchFolder folder;
  SampleConfig config;
  config.path.set(write_sequences(folder, 10, 1, {{"train", 0, 10}}));
  config.split.validation_share.set(0.0);
  const SampleDataset data(config);
  EXPECT_EQ(data.seq_len(), 10);
  const Batch batch = data.get(std::vector<std::int64_t>{1, 3, 0});
  EXPECT_THAT(numbers(batch.input), ElementsAre(2, 2, 0, 0, 4, 4, 4, 4, 1, 0, 0, 0));
  EXPECT_THAT(numbers(batch.lengths), ElementsAre(2, 4, 1));
  EXPECT_THAT(numbers(batch.target), ElementsAre(1, 0, 0));
  EXPECT_THAT(message_of<DataError>([&] { (void)data.get(std::vector<std::int64_t>{10}); }),
              HasSubstr("sample 10 asked for, there are 10"));

  config.seq_len.set(3);
  config.pad.set("seq_len");
  const Batch cut = SampleDataset(config).get(std::vector<std::int64_t>{5, 0});
  EXPECT_THAT(numbers(cut.input), ElementsAre(6, 6, 6, 1, 0, 0));
  EXPECT_THAT(numbers(cut.lengths), ElementsAre(3, 1));
}

TEST(Samples, PairsAreAllFirstsThenAllSeconds) {
  const test::ScratchFolder folder;
  SampleConfig config;
  config.path.set(write_sequences(folder, 4, 2, {{"train", 0, 4}}));
  config.split.validation_share.set(0.0);
  const Batch batch = SampleDataset(config).get(std::vector<std::int64_t>{0, 2});
  EXPECT_EQ(batch.input.sizes(), (at::IntArrayRef{4, 4}));
  EXPECT_THAT(numbers(batch.lengths), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(numbers(batch.input), ElementsAre(1, 0, 0, 0, 3, 3, 3, 0, 1, 1, 0, 0, 3, 3, 3, 3));
  EXPECT_THAT(numbers(batch.target), ElementsAre(0, 2));
}

TEST(Splits, FollowTorchsPermutation) {
  // torch.randperm(10, generator=torch.Generator().manual_seed(42)) in Python.
  EXPECT_THAT(torch_permutation(10, 42), ElementsAre(2, 6, 1, 8, 4, 5, 0, 9, 3, 7));
}

TEST(Splits, AreDisjointAndCoverEverything) {
  for (const char* rule : {"torch", "in_order"}) {
    std::set<std::int64_t> seen;
    std::vector<std::size_t> sizes;
    for (const char* part : {"train", "validation", "test"}) {
      SplitConfig config;
      config.rule.set(rule);
      config.part.set(part);
      const auto indices = split_indices(config, 1009, {});
      sizes.push_back(indices.size());
      seen.insert(indices.begin(), indices.end());
    }
    EXPECT_THAT(sizes, ElementsAre(809, 100, 100)) << rule;
    EXPECT_EQ(seen.size(), 1009U);
  }
}

TEST(Splits, OfADataSetAreItsOwn) {
  const std::vector<SampleSplit> published = {{"train", 0, 100}, {"test", 100, 120}};
  SplitConfig config;
  config.rule.set("in_order");
  const auto of = [&](const char* part, double share) {
    config.part.set(part);
    config.validation_share.set(share);
    const auto indices = split_indices(config, 120, published);
    return std::pair(indices.front(), indices.size());
  };
  EXPECT_EQ(of("test", 0.1), std::pair(std::int64_t{100}, std::size_t{20}));
  EXPECT_EQ(of("train", 0.1), std::pair(std::int64_t{0}, std::size_t{90}));
  EXPECT_EQ(of("validation", 0.1), std::pair(std::int64_t{90}, std::size_t{10}));
  EXPECT_EQ(of("train", 0.0), std::pair(std::int64_t{0}, std::size_t{100}));
  EXPECT_EQ(of("validation", 0.0), of("test", 0.0)) << "as the benchmark does without validation";
  config.part.set("test");
  EXPECT_THAT(message_of<ConfigError>([&] {
                split_indices(config, 100, {{"train", 0, 100}});
              }),
              HasSubstr("split.part: this data set has no part \"test\""));
}

TEST(Samples, AForeignJsonIsAnError) {
  const test::ScratchFolder folder;
  const auto says = [&](const std::string& json) {
    SampleLayout layout;
    layout.vocabulary = 10;
    layout.classes = 3;
    SampleShardWriter writer(folder / "a.lcs", layout);
    writer.finish(json);
    const SampleShard shard(folder / "a.lcs");
    return message_of<DataError>([&] { read_facts(shard.view()); });
  };
  EXPECT_THAT(says("{"), HasSubstr("a.lcs: its JSON is not that of a sample shard"));
  EXPECT_THAT(says("{}"), HasSubstr("key 'task' not found"));
  SampleFacts facts;
  facts.columns = {"label", "more"};
  EXPECT_THAT(says(to_json(facts)), HasSubstr("names 2 columns"));
  facts = {};
  facts.splits = {{"train", 0, 5}};
  EXPECT_THAT(says(to_json(facts)), HasSubstr("split train is samples [0, 5), there are 0"));
}

TEST(Samples, InspectionCountsAndShows) {
  const test::ScratchFolder folder;
  const auto json = nlohmann::json::parse(inspect_samples(write_sequences(folder, 9, 2), 2, true));
  EXPECT_EQ(json["samples"], 9);
  EXPECT_EQ(json["labels"]["0"], 3);
  EXPECT_EQ(json["length"]["most"], 10);
  EXPECT_EQ(json["shown"][1]["text"], "2 2  | 2 2 2 ");
  EXPECT_THAT(message_of<DataError>([&] { contact_sheet(folder / "s.lcs", 2); }),
              HasSubstr("holds no images"));
}

}  // namespace
}  // namespace longconv::data
