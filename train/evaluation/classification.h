// A classifier over a whole split: counted sample by sample, never averaged over batches.
#pragma once

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <cstdint>
#include <vector>

namespace longconv::train {

struct ClassificationResult {
  std::vector<std::int64_t> labels;       ///< in the split's order
  std::vector<std::int64_t> predictions;  ///< the class with the largest logit
  double nll = 0.0;                       ///< natural log, summed over the samples
  [[nodiscard]] double loss() const { return nll / static_cast<double>(labels.size()); }
  [[nodiscard]] double accuracy() const;
};

/// Every sample of `split` once, the last partial batch too (safari's loaders drop it). Losses are
/// taken in float32 (float64 for a float64 model), summed in float64. Throws NonFiniteError naming
/// the sample, DataError for labels outside the model's classes.
ClassificationResult classify(models::Model& model, const data::Dataset& split,
                              const PassOptions& options);

}  // namespace longconv::train
