#include "train/evaluation/label_metrics.h"

#include "core/base/error.h"
#include "train/evaluation/glue_score.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

namespace longconv::train {
namespace {

using Ids = std::vector<std::int64_t>;
using Values = std::vector<double>;

TEST(LabelMetrics, OfTwoClasses) {
  const Ids labels = {1, 1, 1, 0, 0, 0, 0, 1, 0, 0};
  const Ids predictions = {1, 0, 1, 0, 1, 0, 0, 1, 1, 0};
  // TP 3, FN 1, FP 2, TN 4
  EXPECT_DOUBLE_EQ(accuracy(labels, predictions), 0.7);
  EXPECT_DOUBLE_EQ(f1(labels, predictions), 6.0 / 9.0);
  EXPECT_DOUBLE_EQ(matthews(labels, predictions), (3.0 * 4 - 2 * 1) / std::sqrt(5.0 * 4 * 6 * 5));
}

TEST(LabelMetrics, OfThreeClasses) {
  const Ids labels = {0, 1, 2, 0, 1, 2, 0, 1, 2, 2};
  const Ids predictions = {0, 2, 2, 0, 0, 2, 1, 1, 2, 1};
  // c 6, s 10; t 3 3 4, p 3 3 4: (60 - 34) / (100 - 34)
  EXPECT_DOUBLE_EQ(matthews(labels, predictions), 26.0 / 66.0);
}

TEST(LabelMetrics, WhatHasNoDenominatorIsZero) {
  const Ids zeros = {0, 0, 0};
  const Ids some = {0, 1, 0};
  EXPECT_EQ(f1(zeros, zeros), 0.0);
  EXPECT_EQ(matthews(zeros, some), 0.0);
  EXPECT_EQ(matthews(some, zeros), 0.0);
  EXPECT_EQ(pearson(Values{1, 1, 1}, Values{1, 2, 3}), 0.0);
  EXPECT_DOUBLE_EQ(matthews(some, some), 1.0);
  EXPECT_THROW(accuracy(Ids{}, Ids{}), DataError);
  EXPECT_THROW(f1(zeros, Ids{1}), DataError);
  EXPECT_THROW(spearman(Values{1}, Values{}), DataError);
}

TEST(LabelMetrics, CorrelationsWithTies) {
  const Values x = {5.0, 3.8, 3.8, 2.6, 0.0, 1.0, 4.25, 3.8};
  const Values y = {4.1, 3.9, 3.1, 3.1, 0.4, 1.2, 4.9, 2.0};
  // By a few lines of Python, ranks by counting.
  EXPECT_NEAR(pearson(x, y), 0.8674101789242494, 1e-12);
  EXPECT_NEAR(spearman(x, y), 0.8835852486128688, 1e-12);
  // Only the order counts for ranks.
  Values bent;
  for (const double value : y) bent.push_back(std::exp(3 * value));
  EXPECT_DOUBLE_EQ(spearman(x, bent), spearman(x, y));
}

TEST(GlueScore, AveragesAsTheLeaderboardAndAsM2) {
  const Values labels = {0, 1, 1, 0};
  const Values same = {0, 1, 1, 0};
  EXPECT_EQ(glue_scores("mrpc", labels, same), (TaskScores{{"accuracy", 1.0}, {"f1", 1.0}}));
  EXPECT_THROW(glue_scores("boolq", labels, same), DataError);
  GlueScores scores = {{"cola", {{"matthews", 0.5}}},
                       {"sst2", {{"accuracy", 0.9}}},
                       {"mrpc", {{"f1", 0.88}, {"accuracy", 0.84}}},
                       {"stsb", {{"pearson", 0.87}, {"spearman", 0.85}}},
                       {"qqp", {{"f1", 0.86}, {"accuracy", 0.9}}},
                       {"mnli", {{"accuracy", 0.80}}},
                       {"mnli_mismatched", {{"accuracy", 0.82}}},
                       {"qnli", {{"accuracy", 0.87}}},
                       {"rte", {{"accuracy", 0.6}}}};
  EXPECT_NEAR(glue_m2_average(scores), (0.81 + 0.6 + 0.88 + 0.87 + 0.9 + 0.85 + 0.88 + 0.5) / 8,
              1e-12);
  EXPECT_THROW(glue_leaderboard_average(scores), DataError);
  scores["wnli"] = {{"accuracy", 0.65}};
  EXPECT_NEAR(glue_leaderboard_average(scores),
              (0.5 + 0.9 + 0.86 + 0.86 + 0.88 + 0.81 + 0.87 + 0.6 + 0.65) / 9, 1e-12);
}

}  // namespace
}  // namespace longconv::train
