#include "train/evaluation/sampling.h"

#include "core/base/check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace longconv::train {
namespace {

// Uniform in [0, 1) from the top 53 bits: std::uniform_real_distribution differs between libraries.
double uniform(std::mt19937_64& generator) {
  return static_cast<double>(generator() >> 11U) * 0x1.0p-53;
}

}  // namespace

void check_sampling(const SamplingRule& rule) {
  LONGCONV_CHECK(rule.temperature >= 0.0 && std::isfinite(rule.temperature), UsageError,
                 "generate: temperature must be a number >= 0, got {}", rule.temperature);
  LONGCONV_CHECK(rule.top_k >= 0, UsageError, "generate: top_k must be >= 0 (0 = all), got {}",
                 rule.top_k);
  LONGCONV_CHECK(rule.top_p > 0.0 && rule.top_p <= 1.0, UsageError,
                 "generate: top_p must be above 0 and at most 1, got {}", rule.top_p);
}

std::int64_t sample(std::span<const double> logits, const SamplingRule& rule,
                    std::mt19937_64& generator) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double highest = -kInfinity;
  for (const double logit : logits) {
    LONGCONV_CHECK(!std::isnan(logit) && logit < kInfinity, NonFiniteError,
                   "generate: a logit is {}; the weights are broken, try an earlier checkpoint",
                   std::isnan(logit) ? "nan" : "inf");
    highest = std::max(highest, logit);
  }
  LONGCONV_CHECK(highest > -kInfinity, NonFiniteError, "generate: all {} logits are -inf",
                 logits.size());

  std::vector<std::int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto likelier = [&](std::int64_t a, std::int64_t b) {
    const double left = logits[static_cast<std::size_t>(a)];
    const double right = logits[static_cast<std::size_t>(b)];
    return left != right ? left > right : a < b;
  };
  if (rule.temperature == 0.0) return *std::min_element(order.begin(), order.end(), likelier);
  const auto size = static_cast<std::int64_t>(order.size());
  const std::int64_t kept = rule.top_k == 0 ? size : std::min(rule.top_k, size);
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), likelier);
  order.resize(static_cast<std::size_t>(kept));

  std::vector<double> mass(order.size());  // cumulated
  double sum = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    sum += std::exp((logits[static_cast<std::size_t>(order[i])] - highest) / rule.temperature);
    mass[i] = sum;
  }
  if (rule.top_p < 1.0) {
    const auto last = std::lower_bound(mass.begin(), mass.end(), rule.top_p * sum);
    mass.erase(last + (last == mass.end() ? 0 : 1), mass.end());
    sum = mass.back();
  }
  const auto drawn = std::upper_bound(mass.begin(), mass.end(), uniform(generator) * sum);
  const auto index =
      std::min<std::ptrdiff_t>(drawn - mass.begin(), static_cast<std::ptrdiff_t>(mass.size()) - 1);
  return order[static_cast<std::size_t>(index)];
}

}  // namespace longconv::train
