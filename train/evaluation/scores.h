// A regressor of one number a sample over a whole split, sample by sample.
#pragma once

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <vector>

namespace longconv::train {

struct ScoreResult {
  std::vector<double> targets;      ///< in the split's order
  std::vector<double> predictions;  ///< likewise
  [[nodiscard]] double mean_squared() const;
};

/// Every sample of `split` once. The model gives (B, 1), the targets are (B). Throws NonFiniteError
/// naming the sample, ShapeError.
ScoreResult predict_scores(models::Model& model, const data::Dataset& split,
                           const PassOptions& options);

}  // namespace longconv::train
