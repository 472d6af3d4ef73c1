#include "data/loader/loader.h"

#include "data/formats/token_shard.h"
#include "data/tasks/lm.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/full.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::HasSubstr;

bool is_bijection(std::uint64_t seed, std::int64_t epoch, std::int64_t n) {
  std::vector<bool> seen(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t x = shuffled_index(seed, epoch, i, n);
    if (x < 0 || x >= n || seen[static_cast<std::size_t>(x)]) return false;
    seen[static_cast<std::size_t>(x)] = true;
  }
  return true;
}

TEST(Shuffle, IsABijectionForEverySize) {
  for (std::int64_t n = 1; n <= 1000; ++n) {
    EXPECT_TRUE(is_bijection(2222, n % 3, n)) << n;
  }
  EXPECT_TRUE(is_bijection(1, 5, 1'048'577));  // just above a power of 4
  // The Pile's number of blocks, and far beyond: in range and without a collision among 100,000.
  for (const std::int64_t n : {std::int64_t{182'781'921}, (std::int64_t{1} << 62) + 11}) {
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < 100'000; ++i) {
      const std::int64_t x = shuffled_index(7, 0, n - 1 - i, n);
      ASSERT_TRUE(x >= 0 && x < n);
      seen.insert(x);
    }
    EXPECT_EQ(seen.size(), 100'000U);
  }
}

TEST(Shuffle, IsTheSameForever) {
  // Recorded when it was written: a run resumed by a newer program must go on in the same order.
  std::vector<std::int64_t> got;
  for (std::int64_t i = 0; i < 8; ++i) got.push_back(shuffled_index(2222, 1, i, 1000));
  EXPECT_THAT(got, ::testing::ElementsAre(305, 100, 941, 645, 279, 42, 506, 65));
}

TEST(Shuffle, DependsOnSeedAndEpochAndLooksRandom) {
  constexpr std::int64_t kN = 4096;
  const auto order = [](std::uint64_t seed, std::int64_t epoch) {
    std::vector<std::int64_t> out(kN);
    for (std::int64_t i = 0; i < kN; ++i) {
      out[static_cast<std::size_t>(i)] = shuffled_index(seed, epoch, i, kN);
    }
    return out;
  };
  const auto a = order(1, 0);
  for (const auto& b : {order(2, 0), order(1, 1), order(2, 1)}) {
    std::int64_t same = 0;
    for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
    EXPECT_LT(same, 12);  // Poisson with mean 1: beyond 11 once in 10^10
  }
  // Positions and items are uncorrelated: |r| of a random permutation has deviation 1/sqrt(n).
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (static_cast<double>(i) - (kN - 1) / 2.0) * (static_cast<double>(a[i]) - (kN - 1) / 2.0);
  }
  const double correlation = sum / (kN * (static_cast<double>(kN) * kN - 1) / 12.0);
  EXPECT_LT(std::abs(correlation), 5.0 / std::sqrt(static_cast<double>(kN)));
  // Both orders of two items turn up.
  std::set<std::int64_t> first;
  for (std::int64_t epoch = 0; epoch < 64; ++epoch) first.insert(shuffled_index(1, epoch, 0, 2));
  EXPECT_EQ(first.size(), 2U);
}

/// Item i is the number i; some take longer than others, so that workers overtake one another.
class Numbers final : public Dataset {
 public:
  explicit Numbers(std::int64_t n, std::int64_t fails_at = -1) : n_(n), fails_at_(fails_at) {}
  [[nodiscard]] std::int64_t size() const override { return n_; }
  [[nodiscard]] std::int64_t seq_len() const override { return 1; }
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override {
    const int call = calls++;
    if (call % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    auto input = at::full({static_cast<std::int64_t>(indices.size()), 1}, 0, at::kLong);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] == fails_at_) throw DataError("item " + std::to_string(fails_at_));
      input.mutable_data_ptr<std::int64_t>()[i] = indices[i];
    }
    return {input, input};
  }
  mutable std::atomic<int> calls{0};

 private:
  std::int64_t n_;
  std::int64_t fails_at_;
};

std::vector<std::int64_t> items(const Batch& batch) {
  const auto* data = batch.input.const_data_ptr<std::int64_t>();
  return {data, data + batch.input.numel()};
}

std::vector<std::int64_t> take(Loader& loader, int batches) {
  std::vector<std::int64_t> out;
  for (int i = 0; i < batches; ++i) {
    const auto batch = items(loader.next());
    out.insert(out.end(), batch.begin(), batch.end());
  }
  return out;
}

TEST(Loader, GivesEveryItemOncePerEpochAcrossBatchLimits) {
  Loader loader(std::make_shared<Numbers>(10), {.batch_size = 4, .seed = 3, .workers = 2});
  const auto stream = take(loader, 15);  // 60 items: 6 epochs, most of them ending inside a batch
  for (std::size_t epoch = 0; epoch < 6; ++epoch) {
    std::set<std::int64_t> seen(stream.begin() + static_cast<std::ptrdiff_t>(10 * epoch),
                                stream.begin() + static_cast<std::ptrdiff_t>(10 * epoch + 10));
    EXPECT_EQ(seen.size(), 10U) << epoch;
  }
  EXPECT_FALSE(std::equal(stream.begin(), stream.begin() + 10, stream.begin() + 10));
  EXPECT_EQ(loader.position().consumed, 60);
}

TEST(Loader, KeepsTheOrderOfTheDataWithoutShuffling) {
  Loader loader(std::make_shared<Numbers>(3), {.batch_size = 2, .shuffle = false, .workers = 3});
  EXPECT_THAT(take(loader, 4), ::testing::ElementsAre(0, 1, 2, 0, 1, 2, 0, 1));
}

TEST(Loader, GivesTheSameForAnyNumberOfWorkers) {
  const auto stream = [](std::int64_t workers) {
    Loader loader(std::make_shared<Numbers>(101), {.batch_size = 8, .seed = 9, .workers = workers});
    return take(loader, 60);
  };
  const auto want = stream(0);
  for (const std::int64_t workers : {1, 3, 8}) EXPECT_EQ(stream(workers), want) << workers;
}

TEST(Loader, GoesOnFromAnyPosition) {
  constexpr std::int64_t kBatch = 6;
  const auto numbers = std::make_shared<Numbers>(1000);
  std::mt19937 random(4);
  std::vector<std::vector<std::int64_t>> batches;
  {
    Loader loader(numbers, {.batch_size = kBatch, .seed = 11, .workers = 0});
    for (int i = 0; i < 400; ++i) batches.push_back(items(loader.next()));
  }
  for (const std::int64_t workers : {0, 1, 2, 7}) {
    // Another seed on purpose: the position brings its own.
    Loader loader(numbers, {.batch_size = kBatch, .seed = 5, .workers = workers});
    for (int i = 0; i < 100; ++i) {
      const auto number = static_cast<std::size_t>(random() % batches.size());
      const Position position{11, static_cast<std::int64_t>(number) * kBatch};
      loader.seek(position);
      EXPECT_EQ(loader.position().consumed, position.consumed);
      EXPECT_EQ(items(loader.next()), batches[number]) << workers << " " << number;
      EXPECT_EQ(loader.position().consumed, position.consumed + kBatch);
      EXPECT_EQ(loader.position().seed, 11U);
    }
  }
  // A position that is no multiple of the batch, as after a change of batch size, and a far one.
  Loader loader(numbers, {.batch_size = 2, .seed = 0, .workers = 1});
  loader.seek({11, 3});
  EXPECT_THAT(items(loader.next()), ::testing::ElementsAre(batches[0][3], batches[0][4]));
  const int calls = numbers->calls;
  loader.seek({11, std::int64_t{1} << 50});
  EXPECT_EQ(items(loader.next()).size(), 2U);
  EXPECT_LT(numbers->calls - calls, 10);  // and not 2^50 / 1000 epochs later
}

TEST(Loader, PassesErrorsOnInTheirPlace) {
  for (const std::int64_t workers : {0, 1, 4}) {
    Loader loader(std::make_shared<Numbers>(10, 7),
                  {.batch_size = 1, .shuffle = false, .workers = workers});
    EXPECT_EQ(take(loader, 7).size(), 7U);
    EXPECT_EQ(message_of<DataError>([&] { (void)loader.next(); }), "item 7") << workers;
    EXPECT_EQ(message_of<DataError>([&] { (void)loader.next(); }), "item 7") << workers;
    EXPECT_EQ(loader.position().consumed, 7);
    loader.seek({0, 8});
    EXPECT_THAT(items(loader.next()), ::testing::ElementsAre(8));
  }
}

TEST(Loader, RefusesAnEmptyDataSet) {
  EXPECT_THAT(message_of<DataError>([] { Loader loader(std::make_shared<Numbers>(0), {}); }),
              HasSubstr("no window of 1 + 1 tokens"));
}

std::filesystem::path write_shard(const std::filesystem::path& path, std::int32_t first,
                                  std::int32_t count, std::uint8_t tokenizer = 1) {
  files::Digest digest{};
  digest.fill(tokenizer);
  TokenShardWriter writer(path, 5000, -1, digest);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) ids[static_cast<std::size_t>(i)] = first + i;
  writer.add_document(ids);
  writer.finish();
  return path;
}

TEST(WindowDataset, CutsWindowsThatShareOneTokenAcrossShards) {
  const test::ScratchFolder folder;
  // 1000 tokens 0, 1, 2, ... in four shards of which one is shorter than a window and one empty.
  const std::vector<std::filesystem::path> shards{
      write_shard(folder / "0.lct", 0, 333), write_shard(folder / "1.lct", 333, 5),
      write_shard(folder / "2.lct", 338, 0), write_shard(folder / "3.lct", 338, 662)};
  const WindowDataset data(shards, 64);
  EXPECT_EQ(data.tokens(), 1000);
  EXPECT_EQ(data.size(), 15);  // floor(999 / 64)
  const std::vector<std::int64_t> all{14, 5, 0, 5};
  const Batch batch = data.get(all);
  ASSERT_EQ(batch.input.size(0), 4);
  ASSERT_EQ(batch.input.size(1), 64);
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t t = 0; t < 64; ++t) {
      const std::int64_t want = all[static_cast<std::size_t>(row)] * 64 + t;
      ASSERT_EQ(batch.input.const_data_ptr<std::int64_t>()[row * 64 + t], want);
      ASSERT_EQ(batch.target.const_data_ptr<std::int64_t>()[row * 64 + t], want + 1);
    }
  }
  std::vector<std::int64_t> stream(1000);
  data.read(0, stream);
  for (std::size_t i = 0; i < stream.size(); ++i) {
    ASSERT_EQ(stream[i], static_cast<std::int64_t>(i));
  }
  EXPECT_THAT(message_of<DataError>([&] { data.read(1, stream); }), HasSubstr("[1, 1001)"));
  EXPECT_THAT(message_of<DataError>([&] { (void)data.get(std::vector<std::int64_t>{15}); }),
              HasSubstr("window 15 asked for, there are 15"));
  EXPECT_EQ(WindowDataset(shards, 999).size(), 1);
  EXPECT_EQ(WindowDataset(shards, 1000).size(), 0);
}

TEST(WindowDataset, RefusesShardsOfDifferentTokenizers) {
  const test::ScratchFolder folder;
  const std::vector<std::filesystem::path> shards{write_shard(folder / "0.lct", 0, 9, 1),
                                                  write_shard(folder / "1.lct", 0, 9, 2)};
  EXPECT_THAT(message_of<DataError>([&] { const WindowDataset data(shards, 4); }),
              HasSubstr("1.lct: made with tokenizer 020202020202, but"));
}

}  // namespace
}  // namespace longconv::data
