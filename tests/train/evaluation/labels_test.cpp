// Classifiers and series over a whole split, and the logistic regression beside them.
#include "core/base/error.h"
#include "tests/support/temp_folder.h"
#include "train/evaluation/classification.h"
#include "train/evaluation/kmers.h"
#include "train/evaluation/logistic.h"
#include "train/evaluation/series_error.h"
#include "train/evaluation/split_batches.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <functional>
#include <limits>

namespace longconv::train {
namespace {

using ::longconv::testing::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Rows of two tensors.
class Rows final : public data::Dataset {
 public:
  Rows(at::Tensor input, at::Tensor target, at::Tensor lengths = {})
      : input_(std::move(input)), target_(std::move(target)), lengths_(std::move(lengths)) {}
  [[nodiscard]] std::int64_t size() const override { return input_.size(0); }
  [[nodiscard]] std::int64_t seq_len() const override { return input_.size(1); }
  [[nodiscard]] data::Batch get(std::span<const std::int64_t> indices) const override {
    const at::Tensor rows =
        torch::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()));
    data::Batch batch{input_.index_select(0, rows), target_.index_select(0, rows)};
    if (lengths_.defined()) batch.lengths = lengths_.index_select(0, rows);
    return batch;
  }

 private:
  at::Tensor input_;
  at::Tensor target_;
  at::Tensor lengths_;
};

/// Gives what a function makes of its input.
class Function final : public models::Model {
 public:
  explicit Function(std::function<at::Tensor(const models::Input&)> f) : f_(std::move(f)) {}
  at::Tensor hidden(const models::Input& input) override { return input.values; }
  at::Tensor logits(const models::Input& input) override {
    batches.push_back(input.values.size(0));
    EXPECT_FALSE(is_training());
    return f_(input);
  }
  [[nodiscard]] std::vector<models::ParameterOverride> overrides() const override { return {}; }
  [[nodiscard]] std::int64_t l_max() const override { return 100; }
  std::vector<std::int64_t> batches;

 private:
  std::function<at::Tensor(const models::Input&)> f_;
};

PassOptions by(std::int64_t batch) {
  PassOptions options;
  options.batch = batch;
  return options;
}

TEST(Classification, CountsEverySampleOfTheLastBatchToo) {
  // The input's three numbers are the logits.
  const at::Tensor logits = torch::tensor(
      {{2.0, 0.0, 1.0}, {0.0, 3.0, 1.0}, {0.5, 0.0, 1.0}, {9.0, 0.0, 1.0}, {0.0, 0.0, 1.0}});
  const Rows data(logits.unsqueeze(2), torch::tensor({0, 1, 0, 0, 1}, at::kLong));
  Function model([](const models::Input& input) { return input.values.squeeze(2); });
  const ClassificationResult result = classify(model, data, by(2));
  EXPECT_THAT(model.batches, ElementsAre(2, 2, 1));
  EXPECT_THAT(result.predictions, ElementsAre(0, 1, 2, 0, 2));
  EXPECT_THAT(result.labels, ElementsAre(0, 1, 0, 0, 1));
  EXPECT_DOUBLE_EQ(result.accuracy(), 0.6);
  double nll = 0.0;
  const std::int64_t labels[] = {0, 1, 0, 0, 1};
  for (int i = 0; i < 5; ++i) {
    double sum = 0.0;
    for (int c = 0; c < 3; ++c) sum += std::exp(logits[i][c].item<double>());
    nll += std::log(sum) - logits[i][labels[i]].item<double>();
  }
  EXPECT_NEAR(result.nll, nll, 1e-5);
  PassOptions first = by(2);
  first.max_batches = 1;
  EXPECT_EQ(classify(model, data, first).labels.size(), 2U);
}

TEST(Classification, NamesTheSampleThatIsWrong) {
  const Rows data(torch::zeros({3, 2, 1}), torch::tensor({0, 1, 5}, at::kLong));
  Function model([](const models::Input& input) { return input.values.squeeze(2); });
  EXPECT_THAT(message_of<DataError>([&] { (void)classify(model, data, by(2)); }),
              HasSubstr("sample 2 has label 5, the model has 2 classes"));
  Function broken([](const models::Input& input) {
    return torch::full({input.values.size(0), 8}, std::numeric_limits<float>::quiet_NaN());
  });
  EXPECT_THAT(message_of<NonFiniteError>([&] { (void)classify(broken, data, by(2)); }),
              HasSubstr("loss of sample 0 is nan"));
  Function flat([](const models::Input& input) { return input.values; });
  EXPECT_THROW((void)classify(flat, data, by(2)), ShapeError);
}

TEST(SplitBatches, LengthsReachTheModelUnlessPaddingIsOnTheLeft) {
  data::Batch batch{torch::zeros({2, 3}, at::kLong), torch::zeros({2}, at::kLong)};
  batch.lengths = torch::tensor({3, 1}, at::kLong);
  EXPECT_TRUE(model_input(batch, at::kCPU).lengths.defined());
  batch.pad_left = true;
  EXPECT_FALSE(model_input(batch, at::kCPU).lengths.defined());
}

TEST(SeriesError, LeavesOutWhatWasNotMeasured) {
  const double nan = std::nan("");
  const Rows data(torch::tensor({{{1.0}, {2.0}}, {{3.0}, {4.0}}}),
                  torch::tensor({{{2.0}, {nan}}, {{3.5}, {8.0}}}));
  Function model([](const models::Input& input) { return input.values; });
  const SeriesError error = series_error(model, data, by(1));
  EXPECT_EQ(error.targets, 3);
  EXPECT_NEAR(error.mean_absolute(), (1.0 + 0.5 + 4.0) / 3.0, 1e-12);
  const double mean = (2.0 + 3.5 + 8.0) / 3.0;
  const double spread = std::pow(2.0 - mean, 2) + std::pow(3.5 - mean, 2) + std::pow(8.0 - mean, 2);
  EXPECT_NEAR(error.r_squared(), 1.0 - (1.0 + 0.25 + 16.0) / spread, 1e-12);
  const Rows nothing(torch::zeros({1, 2, 1}), torch::full({1, 2, 1}, nan));
  EXPECT_THROW((void)series_error(model, nothing, by(1)), DataError);
}

TEST(Kmers, AreSharesOfTheWordsOfBases) {
  // ACACN, then padding and GTT: 7 A, 8 C, 9 G, 10 T, 11 N, 4 padding.
  const at::Tensor ids = torch::tensor({{7, 8, 7, 8, 11}, {4, 4, 9, 10, 10}}, at::kLong);
  const at::Tensor two = kmer_shares(ids, 2);
  ASSERT_EQ(two.sizes(), at::IntArrayRef({2, 16}));
  EXPECT_NEAR(two[0][1].item<double>(), 2.0 / 3.0, 1e-6) << "AC, of AC, CA, AC";
  EXPECT_NEAR(two[0][4].item<double>(), 1.0 / 3.0, 1e-6) << "CA";
  EXPECT_NEAR(two[1][11].item<double>(), 0.5, 1e-6) << "GT, of GT, TT";
  EXPECT_NEAR(two[1][15].item<double>(), 0.5, 1e-6) << "TT";
  EXPECT_NEAR(two.sum().item<double>(), 2.0, 1e-6);
  const at::Tensor one = kmer_shares(ids, 1);
  EXPECT_NEAR(one[1][3].item<double>(), 2.0 / 3.0, 1e-6);
  const at::Tensor four = kmer_shares(ids, 4);
  EXPECT_EQ(four.size(1), 256);
  EXPECT_EQ(four[0][0 * 64 + 1 * 16 + 0 * 4 + 1].item<double>(), 1.0) << "ACAC";
  EXPECT_EQ(four[1].sum().item<double>(), 0.0) << "three bases have no word of four";
  EXPECT_THROW((void)kmer_shares(ids, 9), ConfigError);
  EXPECT_THROW((void)kmer_shares(ids.to(at::kFloat), 2), ShapeError);
}

TEST(Logistic, TakesWhateverFeatures) {
  // The class is the share of C and G, which no single position tells.
  torch::manual_seed(4);
  const at::Tensor label = torch::randint(2, {600}, at::kLong);
  const at::Tensor chance = 0.35 + 0.3 * label.to(at::kFloat).unsqueeze(1).expand({600, 60});
  const at::Tensor strong = torch::rand({600, 60}) < chance;
  const at::Tensor ids = 7 + strong.to(at::kLong) +
                         2 * (torch::rand({600, 60}) < 0.5) * strong.logical_not().logical_not();
  const Rows train(ids.narrow(0, 0, 400), label.narrow(0, 0, 400));
  const Rows test(ids.narrow(0, 400, 200), label.narrow(0, 400, 200));
  const auto features = [](const data::Batch& batch) { return kmer_shares(batch.input, 1); };
  LogisticOptions longer;
  longer.epochs = 150;
  const LogisticResult fitted = logistic_regression(train, test, 2, features, longer);
  EXPECT_EQ(fitted.features, 4);
  EXPECT_GT(fitted.accuracy, 0.95);
}

TEST(Logistic, FindsALineBetweenTwoClassesAndNoneWhereThereIsNone) {
  torch::manual_seed(2);
  const at::Tensor x = torch::randn({2000, 6, 1});
  const at::Tensor direction = torch::randn({6});
  const at::Tensor side = x.squeeze(2).matmul(direction) > 0.3;
  const auto split = [&](const at::Tensor& labels) {
    return std::pair(Rows(x.narrow(0, 0, 1500), labels.narrow(0, 0, 1500)),
                     Rows(x.narrow(0, 1500, 500), labels.narrow(0, 1500, 500)));
  };
  const auto [train, test] = split(side.to(at::kLong));
  LogisticOptions longer;  // three batches an epoch are few
  longer.epochs = 150;
  const LogisticResult line = logistic_regression(train, test, 2, pixel_features, longer);
  EXPECT_EQ(line.features, 6);
  EXPECT_GT(line.accuracy, 0.97);
  EXPECT_LT(line.train_loss, 0.2);
  // The product of two coordinates' signs has no line.
  const auto [odd, odd_test] =
      split((x.select(1, 0) * x.select(1, 1) > 0.0).squeeze(1).to(at::kLong));
  EXPECT_LT(logistic_regression(odd, odd_test, 2).accuracy, 0.6);
  const Rows padded(x, side.to(at::kLong), torch::full({2000}, 6, at::kLong));
  EXPECT_THROW((void)logistic_regression(padded, padded, 2), ConfigError);
}

}  // namespace
}  // namespace longconv::train
