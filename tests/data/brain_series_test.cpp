// Series of many channels: windows, what does not count, and a generator whose best error is known.
#include "data/tasks/brain_series.h"

#include "core/files/npy.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::HasSubstr;

const float* values_of(const at::Tensor& tensor) { return tensor.const_data_ptr<float>(); }

class Brain : public ::testing::Test {
 protected:
  Brain() {
    config.path.set(folder_ / "s.h5");
    config.split.validation_share.set(0.5);
    config.split.rule.set("in_order");
    config.min_len.set(3);
    config.max_len.set(5);
    // Value 100 run + 10 step + channel.
    series.subjects = 10;
    series.length = 9;
    series.channels = 2;
    for (int run = 0; run < 10; ++run) {
      for (int t = 0; t < 9; ++t) {
        for (int c = 0; c < 2; ++c)
          series.values.push_back(static_cast<float>(100 * run + 10 * t + c));
      }
    }
    series.mask.assign(90, 1);
  }
  void save() { write_series(config.path(), series); }
  test::ScratchFolder folder_;
  BrainSeriesConfig config;
  Series series;
};

TEST_F(Brain, TheTargetIsTheNextStepAndRunsAreSplit) {
  save();
  config.standardise.set(false);
  std::set<int> seen;
  for (const char* part : {"train", "validation", "test"}) {
    config.split.part.set(part);
    const BrainSeries data(config);
    EXPECT_EQ(data.size(), part == std::string("train") ? 4 : part == std::string("test") ? 1 : 5);
    for (std::int64_t i = 0; i < data.size(); ++i) {
      std::set<std::int64_t> lengths;
      std::set<float> starts;
      for (std::uint64_t key = 0; key < 200; ++key) {
        const Batch batch =
            data.draw(std::vector<std::int64_t>{i}, std::vector<std::uint64_t>{key});
        const auto length = batch.lengths.const_data_ptr<std::int64_t>()[0];
        ASSERT_EQ(batch.input.size(1), length);
        lengths.insert(length);
        const float* input = values_of(batch.input);
        const float* target = values_of(batch.target);
        starts.insert(input[0]);
        seen.insert(static_cast<int>(input[0]) / 100);
        for (std::int64_t at = 0; at < length * 2; ++at) {
          ASSERT_EQ(target[at], input[at] + 10.0F);
          ASSERT_EQ(input[at], at < 2 ? input[at] : input[at - 2] + 10.0F);
        }
      }
      const bool train = part == std::string("train");
      EXPECT_EQ(lengths, (train ? std::set<std::int64_t>{3, 4, 5} : std::set<std::int64_t>{5}));
      EXPECT_EQ(starts.size(), train ? 6U : 1U);  // of length 3: 0 to 5
    }
  }
  EXPECT_EQ(seen.size(), 10U);
}

TEST_F(Brain, WhatWasNotMeasuredDoesNotCount) {
  for (std::size_t run = 0; run < 10; ++run) series.mask[run * 9 + 4] = 0;
  for (std::size_t run = 0; run < 10; ++run) {
    series.values[(run * 9 + 4) * 2] = std::numeric_limits<float>::quiet_NaN();
  }
  save();
  config.max_len.set(8);
  config.standardise.set(false);
  const BrainSeries data(config);
  const Batch batch = data.get(std::vector<std::int64_t>{0, 1});
  const float* input = values_of(batch.input);
  const float* target = values_of(batch.target);
  EXPECT_EQ(input[4 * 2], 0.0F);
  EXPECT_TRUE(std::isnan(target[3 * 2]));
  EXPECT_TRUE(std::isnan(target[3 * 2 + 1]));
  EXPECT_FALSE(std::isnan(target[4 * 2]));
  const SeriesBaselines baselines = series_baselines(data);
  EXPECT_EQ(baselines.targets, data.size() * 7 * 2);
}

TEST_F(Brain, ShorterWindowsArePaddedBehind) {
  save();
  const BrainSeries data(config);
  const std::vector<std::int64_t> four{0, 1, 2, 3};
  const Batch batch = data.draw(four, std::vector<std::uint64_t>{1, 2, 3, 4});
  const auto* lengths = batch.lengths.const_data_ptr<std::int64_t>();
  const std::int64_t width = batch.input.size(1);
  bool padded = false;
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t t = lengths[i]; t < width; ++t) {
      padded = true;
      EXPECT_EQ(values_of(batch.input)[(i * width + t) * 2], 0.0F);
      EXPECT_TRUE(std::isnan(values_of(batch.target)[(i * width + t) * 2]));
    }
  }
  EXPECT_TRUE(padded);
}

TEST_F(Brain, RunsAndChannelsAreStandardised) {
  for (std::size_t at = 1; at < 18; at += 2) series.values[at] = 5.0F;  // run 0, channel 1
  save();
  config.max_len.set(8);
  const BrainSeries data(config);
  const Batch batch = data.get(std::vector<std::int64_t>{0});
  double sum = values_of(batch.input)[0];
  double squares = sum * sum;
  for (int t = 0; t < 8; ++t) {
    const double value = values_of(batch.target)[t * 2];
    sum += value;
    squares += value * value;
    EXPECT_EQ(values_of(batch.target)[t * 2 + 1], 0.0F);  // a channel that never changes
  }
  EXPECT_NEAR(sum / 9, 0.0, 1e-6);
  EXPECT_NEAR(squares / 9, 1.0, 1e-5);
}

TEST_F(Brain, NumpyFilesAreReadToo) {
  save();
  const auto want = BrainSeries(config).get(std::vector<std::int64_t>{2});
  std::vector<double> doubles(series.values.begin(), series.values.end());
  files::TensorView view;
  view.dtype = Dtype::f64;
  view.shape = {10, 9, 2};
  view.data = std::as_bytes(std::span(doubles));
  files::write_npy(folder_ / "s.npy", view);
  config.path.set(folder_ / "s.npy");
  EXPECT_TRUE(BrainSeries(config).get(std::vector<std::int64_t>{2}).input.equal(want.input));
  view.shape = {180};
  files::write_npy(folder_ / "s.npy", view);
  EXPECT_THAT(message_of<DataError>([&] { BrainSeries{config}; }), HasSubstr("1 dimensions"));
}

TEST_F(Brain, DamageIsNamed) {
  series.values[2 * 18 + 3] = std::numeric_limits<float>::infinity();
  save();
  EXPECT_THAT(message_of<DataError>([&] { BrainSeries{config}; }),
              HasSubstr("s.h5: value inf at [2, 1, 1], which is not masked"));
  series.values[2 * 18 + 3] = 1.0F;
  std::fill_n(series.mask.begin() + 9, 8, std::uint8_t{0});
  save();
  EXPECT_THAT(message_of<DataError>([&] { BrainSeries{config}; }),
              HasSubstr("run 1 has 1 valid steps"));
  std::fill_n(series.mask.begin() + 9, 8, std::uint8_t{1});
  save();
  config.min_len.set(6);
  EXPECT_THAT(message_of<ConfigError>([&] { BrainSeries{config}; }), HasSubstr("max_len = 5"));
  config.path.set(folder_ / "s.csv");
  EXPECT_THAT(message_of<DataError>([&] { BrainSeries{config}; }), HasSubstr("s.csv"));
}

TEST(BrainGenerator, TheBestPredictorReachesTheBestErrorAndTheBaselinesDoNot) {
  BrainGeneratorConfig made;
  made.channels.set(1);
  made.runs.set(20);
  made.length.set(2000);
  const Ar2Source source = brain_sources(made).front();
  double error = 0.0;
  double squares = 0.0;
  double count = 0.0;
  for (std::int64_t run = 0; run < 20; ++run) {
    const auto x = brain_run(made, run);
    for (std::size_t t = 2; t < x.size(); ++t) {
      error += std::abs(x[t] - source.phi1 * x[t - 1] - source.phi2 * x[t - 2]);
      squares += static_cast<double>(x[t]) * x[t];
      count += 1.0;
    }
  }
  const double relative = error / count / std::sqrt(squares / count);
  EXPECT_NEAR(relative, brain_best_error(made), 0.03 * relative);

  const test::ScratchFolder folder;
  BrainGeneratorConfig mixed;
  mixed.channels.set(8);
  mixed.runs.set(30);
  mixed.length.set(400);
  write_brain_series(mixed, folder / "a.h5", 3);
  write_brain_series(mixed, folder / "b.h5", 1);
  EXPECT_EQ(read_series(folder / "a.h5").values, read_series(folder / "b.h5").values);
  BrainSeriesConfig config;
  config.path.set(folder / "a.h5");
  config.max_len.set(300);
  config.split.part.set("validation");
  const SeriesBaselines baselines = series_baselines(BrainSeries(config));
  EXPECT_NEAR(baselines.zero, std::sqrt(2.0 / 3.14159265), 0.05);
  EXPECT_NEAR(baselines.variance, 1.0, 0.1);
  EXPECT_GT(baselines.zero, 1.5 * brain_best_error(mixed));
  EXPECT_GT(baselines.last_value, 1.2 * brain_best_error(mixed));
}

}  // namespace
}  // namespace longconv::data
