// A masked language model over a whole split: counted token by token, never averaged over batches
// (data.md 6.2).
#pragma once

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <cstdint>

namespace longconv::train {

struct MaskedTokens {
  double nll = 0.0;          ///< natural log, summed over the masked tokens
  std::int64_t tokens = 0;   ///< masked ones: those with a target
  std::int64_t correct = 0;  ///< of them, where the largest logit is the target's
  [[nodiscard]] double loss() const { return nll / static_cast<double>(tokens); }
  [[nodiscard]] double accuracy() const {
    return static_cast<double>(correct) / static_cast<double>(tokens);
  }
};

/// Every sample of `split` once, the last partial batch too. Padded columns take part. Losses are
/// taken in float32 (float64 for a float64 model), summed in float64. Throws NonFiniteError naming
/// the sample, DataError if nothing is masked.
MaskedTokens measure_masked_tokens(models::Model& model, const data::Dataset& split,
                                   const PassOptions& options);

}  // namespace longconv::train
