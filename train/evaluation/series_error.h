// How far predictions of series are off, over a whole split (data.md 3.4).
#pragma once

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <cstdint>

namespace longconv::train {

/// Over the targets that were measured; a target of NaN does not count.
struct SeriesError {
  double absolute = 0.0;     ///< |prediction - target|, summed
  double square = 0.0;       ///< its square, summed
  double target = 0.0;       ///< targets, summed
  double target_sq = 0.0;    ///< their squares, summed
  std::int64_t targets = 0;  ///< how many
  [[nodiscard]] double mean_absolute() const { return absolute / static_cast<double>(targets); }
  /// 1 - sum of squared errors / sum of squared distances of the targets from their mean.
  [[nodiscard]] double r_squared() const;
};

/// Sums in float64. Throws NonFiniteError naming the first sample of a batch with predictions that
/// are not finite, DataError for a split without targets.
SeriesError series_error(models::Model& model, const data::Dataset& split,
                         const PassOptions& options);

}  // namespace longconv::train
