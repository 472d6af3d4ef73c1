// Which items a batch has: for any number of workers and ranks, from any position, over stages.
#include "data/loader/order.h"

#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::HasSubstr;

/// Items of many lengths; item i shows as i, in as many columns as the batch's longest.
class Ragged final : public Dataset {
 public:
  explicit Ragged(std::int64_t n, std::int64_t longest = 100) : n_(n), longest_(longest) {}
  [[nodiscard]] std::int64_t size() const override { return n_; }
  [[nodiscard]] std::int64_t seq_len() const override { return longest_; }
  [[nodiscard]] std::int64_t length(std::int64_t index) const override {
    return 1 + index * 7919 % longest_;
  }
  [[nodiscard]] std::int64_t targets(std::int64_t index) const override { return length(index); }
  [[nodiscard]] bool targets_vary() const override { return true; }
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override {
    return draw(indices, std::vector<std::uint64_t>(indices.size()));
  }
  /// The second column is what was drawn.
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override {
    const auto rows = static_cast<std::int64_t>(indices.size());
    const at::Tensor input = at::empty({rows, 2}, at::kLong);
    auto* out = input.mutable_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < indices.size(); ++i) {
      *out++ = indices[i];
      *out++ = static_cast<std::int64_t>(keys[i] >> 1);
    }
    return {input, input};
  }

 private:
  std::int64_t n_;
  std::int64_t longest_;
};

using Row = std::pair<std::int64_t, std::int64_t>;  // item and what was drawn

std::vector<Row> rows_of(const Batch& batch) {
  const auto* data = batch.input.const_data_ptr<std::int64_t>();
  std::vector<Row> out;
  for (std::int64_t i = 0; i < batch.input.size(0); ++i)
    out.emplace_back(data[2 * i], data[2 * i + 1]);
  return out;
}

struct Split {
  std::int64_t ranks;
  std::int64_t batch_size;
};

/// Two stages of steps of 24 items, then another data set in steps of 16.
std::vector<Stage> stages(std::int64_t batch_size) {
  return {{std::make_shared<Ragged>(103), batch_size, 24, 9},
          {std::make_shared<Ragged>(103, 50), batch_size, 24, 5},
          {std::make_shared<Ragged>(301), batch_size, 16, 0}};
}

/// The items of the first steps, as one rank sees them in one batch a step.
std::vector<std::vector<Row>> steps(std::int64_t count, std::int64_t bucket_steps) {
  LoaderOptions options{.seed = 11, .workers = 0};
  options.bucket_steps = bucket_steps;
  std::vector<std::vector<Row>> out;
  Loader loader(stages(8), options);
  while (static_cast<std::int64_t>(out.size()) < count) {
    out.emplace_back();
    for (std::int64_t pass = loader.passes(); pass > 0; --pass) {
      const std::vector<Row> rows = rows_of(loader.next());
      out.back().insert(out.back().end(), rows.begin(), rows.end());
    }
  }
  return out;
}

class Restored : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(Restored, AtAnyPositionGivesTheSameForAnyWorkersAndRanks) {
  constexpr std::int64_t kSteps = 120;
  const auto want = steps(kSteps, GetParam());
  std::vector<std::int64_t> starts{0};  // items before each step
  for (const auto& step : want) {
    starts.push_back(starts.back() + static_cast<std::int64_t>(step.size()));
  }
  std::mt19937 random(4);
  for (const std::int64_t workers : {1, 2, 7}) {
    for (const Split split : {Split{1, 4}, Split{2, 4}, Split{4, 2}}) {
      std::vector<std::unique_ptr<Loader>> ranks;
      for (std::int64_t rank = 0; rank < split.ranks; ++rank) {
        LoaderOptions options{.seed = 5, .workers = workers};  // a position brings its own seed
        options.rank = rank;
        options.ranks = split.ranks;
        options.bucket_steps = GetParam();
        ranks.push_back(std::make_unique<Loader>(stages(split.batch_size), options));
      }
      for (int i = 0; i < 1000; ++i) {
        const auto number = static_cast<std::size_t>(random() % (want.size() - 1));
        const std::vector<Row>& step = want[number];
        const std::int64_t rank = static_cast<std::int64_t>(random()) % split.ranks;
        Loader& loader = *ranks[static_cast<std::size_t>(rank)];
        const std::int64_t passes =
            static_cast<std::int64_t>(step.size()) / (split.ranks * split.batch_size);
        const std::int64_t pass = static_cast<std::int64_t>(random()) % passes;
        loader.seek({11, starts[number], pass});
        ASSERT_EQ(loader.passes(), passes);
        const auto first = step.begin() + (rank * passes + pass) * split.batch_size;
        ASSERT_EQ(rows_of(loader.next()), std::vector<Row>(first, first + split.batch_size))
            << workers << " workers, rank " << rank << " of " << split.ranks << ", step " << number
            << ", pass " << pass;
        const Position after = loader.position();
        const bool whole = pass + 1 == passes;
        ASSERT_EQ(after.consumed, starts[number + (whole ? 1 : 0)]);
        ASSERT_EQ(after.pass, whole ? 0 : pass + 1);
        ASSERT_EQ(after.seed, 11U);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AsTheyComeAndByLength, Restored, ::testing::Values(0, 3));

/// Sum over batches of rows times the longest row.
std::int64_t padded(const Ragged& data, const std::vector<Row>& stream, std::int64_t batch) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < stream.size();) {
    std::int64_t longest = 0;
    for (std::int64_t k = 0; k < batch && i < stream.size(); ++k, ++i) {
      longest = std::max(longest, data.length(stream[i].first));
    }
    sum += longest * batch;
  }
  return sum;
}

TEST(Buckets, LoseAndRepeatNothingInAnEpochAndPadLess) {
  // 103 items are no multiple of anything here: epochs end inside steps and inside pools.
  const auto data = std::make_shared<Ragged>(103);
  for (const Split split : {Split{1, 12}, Split{1, 3}, Split{2, 3}, Split{4, 1}}) {
    std::map<std::int64_t, std::vector<Row>> streams;
    for (const std::int64_t bucket_steps : {std::int64_t{0}, std::int64_t{1}, std::int64_t{5}}) {
      std::vector<Row>& stream = streams[bucket_steps];
      std::vector<std::unique_ptr<Loader>> ranks;
      for (std::int64_t rank = 0; rank < split.ranks; ++rank) {
        LoaderOptions options{.seed = 3, .workers = 2};
        options.rank = rank;
        options.ranks = split.ranks;
        options.bucket_steps = bucket_steps;
        ranks.push_back(
            std::make_unique<Loader>(std::vector<Stage>{{data, split.batch_size, 12, 0}}, options));
      }
      for (int step = 0; step < 60; ++step) {
        for (const auto& loader : ranks) {
          for (std::int64_t pass = loader->passes(); pass > 0; --pass) {
            const std::vector<Row> rows = rows_of(loader->next());
            stream.insert(stream.end(), rows.begin(), rows.end());
          }
        }
      }
      ASSERT_EQ(stream.size(), 720U);
      for (std::size_t epoch = 0; epoch < 6; ++epoch) {
        const auto first = stream.begin() + static_cast<std::ptrdiff_t>(103 * epoch);
        EXPECT_EQ(std::set<Row>(first, first + 103).size(), 103U)
            << "epoch " << epoch << ", " << bucket_steps << " steps, " << split.ranks << " ranks";
        std::set<std::int64_t> items;
        for (auto row = first; row != first + 103; ++row) items.insert(row->first);
        EXPECT_EQ(items.size(), 103U);
      }
    }
    if (split.batch_size == 3) {
      EXPECT_LT(padded(*data, streams[5], 3), padded(*data, streams[0], 3) * 7 / 10);
    }
    // Steps come by chance, not from the shortest to the longest.
    std::vector<std::int64_t> longest;
    for (std::size_t step = 0; step < 5; ++step) {
      longest.push_back(data->length(streams[5][12 * step + 11].first));
    }
    EXPECT_FALSE(std::is_sorted(longest.begin(), longest.end()));
  }
}

TEST(Divisors, WeighEachBatchByItsTargets) {
  const auto data = std::make_shared<Ragged>(40);
  std::map<std::int64_t, double> shares;  // of each step
  std::map<std::int64_t, std::int64_t> targets;
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (std::int64_t rank = 0; rank < 2; ++rank) {
      LoaderOptions options{.seed = 3, .workers = 1};
      options.rank = rank;
      options.ranks = 2;
      Loader loader({{data, 2, 12, 0}}, options);
      for (std::int64_t step = 0; step < 8; ++step) {
        for (std::int64_t pass = 0; pass < 3; ++pass) {
          const Batch batch = loader.next();
          std::int64_t own = 0;
          for (const Row& row : rows_of(batch)) own += data->targets(row.first);
          if (repeat == 0) {
            targets[step] += own;
            shares[step] += 1.0 / batch.divisor;
          } else {
            EXPECT_DOUBLE_EQ(batch.divisor,
                             static_cast<double>(targets[step]) / static_cast<double>(own));
          }
        }
      }
    }
  }
  for (const auto& [step, share] : shares) EXPECT_NEAR(share, 1.0, 1e-14) << step;
}

TEST(Stages, FollowOneAnother) {
  const auto a = std::make_shared<Ragged>(10);
  const auto b = std::make_shared<Ragged>(1000);
  const Order order({{a, 2, 4, 3}, {a, 2, 4, 0}, {b, 6, 6, 0}}, LoaderOptions{});
  std::vector<std::int64_t> passes;
  std::vector<const Dataset*> from;
  Position at{1, 0, 0};
  for (int i = 0; i < 8; ++i) {
    passes.push_back(order.passes(at.consumed));
    from.push_back(order.items(at).dataset);
    at = order.after(at);
  }
  EXPECT_THAT(passes, ::testing::ElementsAre(2, 2, 2, 2, 2, 2, 1, 1));
  EXPECT_THAT(from, ::testing::ElementsAre(a.get(), a.get(), a.get(), a.get(), a.get(), a.get(),
                                           b.get(), b.get()));
  EXPECT_EQ(at.consumed, 3 * 4 + 2 * 6);

  // A stage starts an epoch, wherever the one before it ended.
  const Order ragged({{a, 1, 1, 3}, {a, 1, 1, 0}}, LoaderOptions{});
  std::set<std::int64_t> items;
  for (std::int64_t i = 3; i < 13; ++i) items.insert(ragged.items({1, i, 0}).indices.front());
  EXPECT_EQ(items.size(), 10U);

  // Two stages over one data set are not in the same order.
  const Order twice({{b, 8, 8, 1}, {b, 8, 8, 0}}, LoaderOptions{});
  EXPECT_NE(twice.items({1, 0, 0}).indices, twice.items({1, 8, 0}).indices);
}

TEST(Stages, RefuseWhatDoesNotDivide) {
  const auto data = std::make_shared<Ragged>(10);
  LoaderOptions options;
  options.ranks = 4;
  EXPECT_THAT(message_of<DataError>([&] {
                const Order order({{data, 2, 12, 0}}, options);
              }),
              HasSubstr("steps of 12 items, expected a multiple of 4 ranks times batch_size 2"));
  options.rank = 4;
  EXPECT_THAT(message_of<DataError>([&] {
                const Order order({{data, 1, 12, 0}}, options);
              }),
              HasSubstr("rank 4 of 4"));
  Loader loader(data, {.batch_size = 2});
  EXPECT_THAT(message_of<DataError>([&] { loader.seek({0, 0, 1}); }), HasSubstr("batch 1"));
}

}  // namespace
}  // namespace longconv::data
