#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/scores.h"

#include "core/base/check.h"
#include "train/evaluation/split_batches.h"

#include <fmt/ranges.h>

#include <cmath>

namespace longconv::train {

double ScoreResult::mean_squared() const {
  double sum = 0.0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double error = predictions[i] - targets[i];
    sum += error * error;
  }
  return sum / static_cast<double>(targets.size());
}

ScoreResult predict_scores(models::Model& model, const data::Dataset& split,
                           const PassOptions& options) {
  ScoreResult out;
  for_each_batch(model, split, options, [&](const at::Tensor& output, const data::Batch& batch) {
    LONGCONV_CHECK(output.dim() == 2 && output.size(1) == 1 && batch.target.dim() == 1 &&
                       output.size(0) == batch.target.size(0),
                   ShapeError, "scores: expected predictions [B, 1] of {} samples, got [{}]",
                   batch.target.size(0), fmt::join(output.sizes(), ", "));
    const at::Tensor made = output.to(at::kDouble).cpu().squeeze(1).contiguous();
    const at::Tensor wanted = batch.target.to(at::kDouble).contiguous();
    for (std::int64_t i = 0; i < made.size(0); ++i) {
      const double value = made.const_data_ptr<double>()[i];
      LONGCONV_CHECK(std::isfinite(value), NonFiniteError,
                     "scores: the prediction of sample {} is not finite; try "
                     "train.precision=\"float32\", or an earlier checkpoint",
                     out.predictions.size());
      out.predictions.push_back(value);
      out.targets.push_back(wanted.const_data_ptr<double>()[i]);
    }
  });
  return out;
}

}  // namespace longconv::train
