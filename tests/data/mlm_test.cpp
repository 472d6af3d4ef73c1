#include "data/tasks/mlm.h"

#include "data/tasks/masking.h"
#include "data/tasks/prepare.h"
#include "tests/data/helpers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

TEST(Masking, DrawsThePublishedShares) {
  const BertSpecials specials;
  constexpr std::int64_t kVocab = 30522;
  constexpr std::int64_t kCount = 400'000;
  std::vector<std::int64_t> before(kCount);
  for (std::size_t i = 0; i < before.size(); ++i) {
    before[i] = 1000 + static_cast<std::int64_t>(i * 7919 % 20'000);
  }
  for (const double share : {0.15, 0.3}) {
    std::vector<std::int64_t> ids = before;
    std::vector<std::int64_t> labels(ids.size());
    mask_tokens(ids, labels, share, 17, specials, kVocab);
    std::map<std::string, double> counts;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (labels[i] == kNoLabel) {
        ASSERT_EQ(ids[i], before[i]);
        continue;
      }
      ASSERT_EQ(labels[i], before[i]);
      ++counts["selected"];
      ++counts[ids[i] == specials.mask ? "mask" : ids[i] == before[i] ? "kept" : "random"];
      if (ids[i] != specials.mask && ids[i] < 999) ++counts["special or unused"];
    }
    const auto near = [&](const char* what, double of, double p) {
      EXPECT_NEAR(counts[what], of * p, 5 * std::sqrt(of * p * (1 - p))) << what << " " << share;
    };
    near("selected", kCount, share);
    near("mask", counts["selected"], 0.8);
    near("kept", counts["selected"], 0.1);
    near("random", counts["selected"], 0.1);
    near("special or unused", counts["selected"], 0.1 * 998 / kVocab);  // of all ids but [MASK]
  }
}

TEST(Masking, LeavesSpecialTokensAloneAndDependsOnTheKey) {
  const BertSpecials specials;
  std::vector<std::int64_t> ids = {101, 2000, 100, 103, 2001, 102, 0, 0};
  std::vector<std::int64_t> labels(ids.size());
  mask_tokens(ids, labels, 1.0, 3, specials, 30522);
  EXPECT_THAT(labels, ElementsAre(-100, 2000, -100, -100, 2001, -100, -100, -100));
  std::set<std::vector<std::int64_t>> seen;
  for (std::uint64_t key = 0; key < 20; ++key) {
    std::vector<std::int64_t> some(100, 2000);
    std::vector<std::int64_t> other = some;
    std::vector<std::int64_t> out(100);
    mask_tokens(some, out, 0.3, key, specials, 30522);
    mask_tokens(other, out, 0.3, key, specials, 30522);
    EXPECT_EQ(some, other);
    seen.insert(some);
  }
  EXPECT_EQ(seen.size(), 20U);
}

class MaskedCorpus : public ::testing::Test {
 protected:
  MaskedCorpus() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    std::string lines;
    std::string held;
    for (int i = 0; i < 40; ++i) {
      vocabulary += fmt::format("w{}\n", i);
      std::string text;
      for (int word = 0; word < i; ++word) text += fmt::format("w{} ", i);
      (i % 10 == 9 ? held : lines) += fmt::format("{{\"text\": \"{}.\"}}\n", text);
    }
    PrepareOptions options;
    options.sources = {put(folder_ / "a.jsonl", lines).string()};
    options.validation = {put(folder_ / "v.jsonl", held).string()};
    options.tokenizer = put(folder_ / "vocab.txt", vocabulary).string();
    options.eos = false;
    options.shard_tokens = 100;  // several shards
    options.out = folder_ / "corpus";
    prepare_corpus(options);
    config_.path.set((folder_ / "corpus").string());
    config_.seq_len.set(16);
    options.eos = true;
    options.out = folder_ / "eos";
    prepare_corpus(options);
  }
  test::ScratchFolder folder_;
  MlmConfig config_;
};

TEST_F(MaskedCorpus, ASampleIsTheBeginningOfADocument) {
  config_.train_share.set(0.0);
  const MlmDataset data(config_);
  EXPECT_EQ(data.size(), 36);
  const Batch batch = data.get(std::vector<std::int64_t>{3, 35});
  // "w3 w3 w3 ." and 38 times "w38"; "." is no word of this vocabulary.
  EXPECT_THAT(numbers(batch.input),
              ElementsAre(2, 8, 8, 8, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  //
                          2, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 3));
  EXPECT_THAT(numbers(batch.lengths), ElementsAre(6, 16));
  EXPECT_THAT(numbers(batch.target), ::testing::Each(kNoLabel));
  EXPECT_THAT(
      message_of<DataError>([&] { static_cast<void>(data.get(std::vector<std::int64_t>{36})); }),
      HasSubstr("document 36 asked for, there are 36"));
}

TEST_F(MaskedCorpus, MasksChangeFromEpochToEpochAndComeBackWithThePosition) {
  const auto data = std::make_shared<MlmDataset>(config_);
  LoaderOptions options;
  options.batch_size = 9;
  options.seed = 7;
  std::vector<std::vector<std::int64_t>> inputs;
  std::set<std::vector<std::int64_t>> different;
  Loader loader(data, options);
  for (int batch = 0; batch < 12; ++batch) {
    inputs.push_back(numbers(loader.next().input));
    different.insert(inputs.back());
  }
  EXPECT_EQ(different.size(), 12U);
  for (const std::int64_t workers : {0, 3}) {
    options.workers = workers;
    Loader again(data, options);
    for (const std::int64_t batch : {11, 0, 5}) {
      again.seek({7, 9 * batch});
      EXPECT_EQ(numbers(again.next().input), inputs[static_cast<std::size_t>(batch)]);
    }
  }
  // The same document in two epochs, under other masks.
  options.shuffle = false;
  options.batch_size = 36;
  Loader ordered(data, options);
  const Batch first = ordered.next();
  const Batch second = ordered.next();
  EXPECT_EQ(numbers(first.lengths), numbers(second.lengths));
  EXPECT_NE(numbers(first.target), numbers(second.target));
}

TEST_F(MaskedCorpus, ValidationIsAlwaysMaskedAlike) {
  config_.part.set("validation");
  config_.evaluation_share.set(0.5);
  const auto data = std::make_shared<MlmDataset>(config_);
  EXPECT_EQ(data->size(), 4);
  LoaderOptions options;
  options.batch_size = 4;
  options.shuffle = false;
  Loader loader(data, options);
  const auto first = numbers(loader.next().target);
  EXPECT_EQ(numbers(loader.next().target), first);
  EXPECT_THAT(first, ::testing::Contains(::testing::Gt(0)));
}

TEST_F(MaskedCorpus, CorporaThatDoNotFitAreRefused) {
  config_.path.set((folder_ / "eos").string());
  EXPECT_THAT(message_of<DataError>([&] { const MlmDataset data(config_); }),
              HasSubstr("prepare it with --no-eos"));
  PrepareOptions options;
  options.sources = {put(folder_ / "a.txt", "some text").string()};
  options.eos = false;
  options.out = folder_ / "bytes";
  prepare_corpus(options);
  config_.path.set((folder_ / "bytes").string());
  EXPECT_THAT(message_of<DataError>([&] { const MlmDataset data(config_); }),
              HasSubstr("it has no [PAD]; expected a BERT vocabulary"));
  // An index that is out of order where a document is asked for.
  config_.path.set((folder_ / "corpus").string());
  const auto index = folder_ / "corpus/train/00000-000.idx";
  std::string changed = test::slurp(index);
  changed[48 + 8 * 3 + 6] = 1;
  put(index, changed);
  const MlmDataset data(config_);
  EXPECT_THAT(
      message_of<DataError>([&] { static_cast<void>(data.get(std::vector<std::int64_t>{3})); }),
      HasSubstr("00000-000.idx: document 3 (byte 72)"));
}

}  // namespace
}  // namespace longconv::data
