// One token drawn from one row of logits. No LibTorch here.
#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace longconv::train {

/// How to draw; the checks of its ranges are in check_sampling().
struct SamplingRule {
  double temperature = 1.0;  ///< logits are divided by it; 0 = the most likely token
  std::int64_t top_k = 0;    ///< only the k most likely tokens; 0 = all
  double top_p = 1.0;  ///< only the smallest set of most likely tokens with this mass (nucleus
                       ///< sampling, arXiv:1904.09751), among the top k, at that temperature
};

/// Throws UsageError unless temperature >= 0, top_k >= 0 and 0 < top_p <= 1.
void check_sampling(const SamplingRule& rule);

/// The index drawn. Equal logits rank by index, so that the result depends on nothing but the
/// arguments and the generator's state. Throws NonFiniteError if a logit is NaN or +inf, or none is
/// above -inf.
std::int64_t sample(std::span<const double> logits, const SamplingRule& rule,
                    std::mt19937_64& generator);

}  // namespace longconv::train
