#include "train/evaluation/sampling.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace longconv::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ln of 0.4, 0.3, 0.2, 0.1 in another order, shifted: a softmax does not mind.
const std::vector<double> kLogits = {std::log(0.1) + 5, std::log(0.4) + 5, std::log(0.2) + 5,
                                     std::log(0.3) + 5};

std::map<std::int64_t, double> shares(const SamplingRule& rule, int draws = 20'000) {
  std::mt19937_64 generator(7);
  std::map<std::int64_t, double> found;
  for (int i = 0; i < draws; ++i) found[sample(kLogits, rule, generator)] += 1.0 / draws;
  return found;
}

std::vector<std::int64_t> drawn(const SamplingRule& rule) {
  std::vector<std::int64_t> tokens;
  for (const auto& [token, share] : shares(rule)) tokens.push_back(token);
  return tokens;
}

// Five standard deviations of a binomial share.
double bound(double p) { return 5.0 * std::sqrt(p * (1.0 - p) / 20'000); }

TEST(Sample, FollowsTheSoftmax) {
  const auto found = shares({1.0, 0, 1.0});
  const std::vector<double> want = {0.1, 0.4, 0.2, 0.3};
  for (std::int64_t i = 0; i < 4; ++i) {
    const double p = want[static_cast<std::size_t>(i)];
    EXPECT_NEAR(found.at(i), p, bound(p)) << i;
  }
}

TEST(Sample, TemperatureSharpens) {
  // At temperature 1/2 the odds are squared: 0.16, 0.09, 0.04, 0.01 of 0.30.
  const auto found = shares({0.5, 0, 1.0});
  EXPECT_NEAR(found.at(1), 16.0 / 30.0, bound(16.0 / 30.0));
  EXPECT_NEAR(found.at(0), 1.0 / 30.0, bound(1.0 / 30.0));
  EXPECT_THAT(drawn({1e-3, 0, 1.0}), ElementsAre(1));
}

TEST(Sample, ZeroTemperatureAndTopOneAreTheMostLikely) {
  EXPECT_THAT(drawn({0.0, 0, 1.0}), ElementsAre(1));
  EXPECT_THAT(drawn({1.0, 1, 1.0}), ElementsAre(1));
  EXPECT_THAT(drawn({1.0, 0, 1e-9}), ElementsAre(1));
  std::mt19937_64 generator(1);
  const std::vector<double> ties = {0.0, 2.0, 2.0, 1.0};
  EXPECT_EQ(sample(ties, {0.0, 0, 1.0}, generator), 1) << "the first of equals";
  EXPECT_EQ(sample(ties, {1.0, 1, 1.0}, generator), 1);
}

TEST(Sample, TopKKeepsTheKMostLikely) {
  EXPECT_THAT(drawn({1.0, 2, 1.0}), ElementsAre(1, 3));
  EXPECT_THAT(drawn({1.0, 3, 1.0}), ElementsAre(1, 2, 3));
  EXPECT_THAT(drawn({1.0, 100, 1.0}), ElementsAre(0, 1, 2, 3));
  EXPECT_NEAR(shares({1.0, 2, 1.0}).at(1), 4.0 / 7.0, bound(4.0 / 7.0));
}

TEST(Sample, TopPKeepsTheSmallestSetWithTheMass) {
  EXPECT_THAT(drawn({1.0, 0, 0.39}), ElementsAre(1));
  EXPECT_THAT(drawn({1.0, 0, 0.41}), ElementsAre(1, 3));
  EXPECT_THAT(drawn({1.0, 0, 0.69}), ElementsAre(1, 3));
  EXPECT_THAT(drawn({1.0, 0, 0.71}), ElementsAre(1, 2, 3));
  EXPECT_THAT(drawn({1.0, 0, 0.91}), ElementsAre(0, 1, 2, 3));
  // Among the top 2 the mass counts anew: 4/7 and 3/7.
  EXPECT_THAT(drawn({1.0, 2, 0.5}), ElementsAre(1));
  EXPECT_NEAR(shares({1.0, 0, 0.5}).at(3), 3.0 / 7.0, bound(3.0 / 7.0));
}

TEST(Sample, DependsOnTheSeedAlone) {
  const auto series = [](std::uint64_t seed) {
    std::mt19937_64 generator(seed);
    std::vector<std::int64_t> tokens;
    for (int i = 0; i < 50; ++i) tokens.push_back(sample(kLogits, {1.0, 0, 1.0}, generator));
    return tokens;
  };
  EXPECT_EQ(series(3), series(3));
  EXPECT_NE(series(3), series(4));
}

TEST(Sample, SurvivesExtremeLogits) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::mt19937_64 generator(1);
  const std::vector<double> extreme = {-kInfinity, 1e308, -1e308, 0.0};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(sample(extreme, {1e-3, 0, 0.9}, generator), 1);
  const auto message = [&](const std::vector<double>& logits) {
    return testing::message_of<NonFiniteError>([&] {
      (void)sample(logits, {1.0, 0, 1.0}, generator);
    });
  };
  EXPECT_THAT(message({0.0, std::nan("")}), HasSubstr("a logit is nan"));
  EXPECT_THAT(message({0.0, kInfinity}), HasSubstr("a logit is inf"));
  EXPECT_THAT(message({-kInfinity, -kInfinity}), HasSubstr("all 2 logits are -inf"));
}

TEST(Sample, RefusesRulesOutOfRange) {
  const auto message = [](const SamplingRule& rule) {
    return testing::message_of<UsageError>([&] { check_sampling(rule); });
  };
  EXPECT_THAT(message({-0.1, 0, 1.0}), HasSubstr("temperature must be a number >= 0, got -0.1"));
  EXPECT_THAT(message({std::nan(""), 0, 1.0}), HasSubstr("temperature"));
  EXPECT_THAT(message({1.0, -1, 1.0}), HasSubstr("top_k must be >= 0 (0 = all), got -1"));
  EXPECT_THAT(message({1.0, 0, 0.0}), HasSubstr("top_p must be above 0 and at most 1, got 0"));
  EXPECT_THAT(message({1.0, 0, 1.1}), HasSubstr("top_p"));
  EXPECT_NO_THROW(check_sampling({0.0, 0, 1.0}));
}

}  // namespace
}  // namespace longconv::train
