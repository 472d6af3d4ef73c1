#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/series_error.h"

#include "core/base/check.h"
#include "train/evaluation/split_batches.h"

#include <ATen/ops/isnan.h>
#include <ATen/ops/masked_select.h>
#include <fmt/ranges.h>

#include <cmath>

namespace longconv::train {

double SeriesError::r_squared() const {
  return 1.0 - square / (target_sq - target * target / static_cast<double>(targets));
}

SeriesError series_error(models::Model& model, const data::Dataset& split,
                         const PassOptions& options) {
  SeriesError sums;
  std::int64_t first = 0;
  for_each_batch(model, split, options, [&](const at::Tensor& output, const data::Batch& batch) {
    LONGCONV_CHECK(output.sizes() == batch.target.sizes(), ShapeError,
                   "series: expected predictions [{}], as the targets, got [{}]",
                   fmt::join(batch.target.sizes(), ", "), fmt::join(output.sizes(), ", "));
    const at::Tensor asked = at::isnan(batch.target).logical_not();
    const at::Tensor target = at::masked_select(batch.target, asked).to(at::kDouble);
    const at::Tensor error = at::masked_select(output.cpu(), asked).to(at::kDouble) - target;
    const double absolute = error.abs().sum().item<double>();
    LONGCONV_CHECK(std::isfinite(absolute), NonFiniteError,
                   "series: predictions of the samples from {} on are not finite; try "
                   "train.precision=\"float32\", or an earlier checkpoint",
                   first);
    sums.absolute += absolute;
    sums.square += error.square().sum().item<double>();
    sums.target += target.sum().item<double>();
    sums.target_sq += target.square().sum().item<double>();
    sums.targets += target.numel();
    first += batch.target.size(0);
  });
  LONGCONV_CHECK(sums.targets > 0, DataError, "series: nothing was measured in {} samples",
                 split.size());
  return sums;
}

}  // namespace longconv::train
