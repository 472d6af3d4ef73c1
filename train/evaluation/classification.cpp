#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/classification.h"

#include "core/base/check.h"
#include "train/evaluation/label_metrics.h"
#include "train/evaluation/last_tokens.h"
#include "train/evaluation/split_batches.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <fmt/ranges.h>

#include <cmath>

namespace longconv::train {

double ClassificationResult::accuracy() const { return train::accuracy(labels, predictions); }

namespace {

/// Adds a batch: logits (B, classes), labels (B) int64 on the CPU.
void count(ClassificationResult& result, const at::Tensor& logits, const at::Tensor& target) {
  const at::Tensor wide =
      (logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat)).cpu();
  const auto* labels = target.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < target.size(0); ++i) {
    LONGCONV_CHECK(labels[i] >= 0 && labels[i] < logits.size(1), DataError,
                   "classification: sample {} has label {}, the model has {} classes",
                   result.labels.size(), labels[i], logits.size(1));
    result.labels.push_back(labels[i]);
  }
  const at::Tensor nll =
      at::cross_entropy_loss(wide, target, {}, at::Reduction::None).to(at::kDouble);
  const at::Tensor best = wide.argmax(1);
  for (std::int64_t i = 0; i < nll.size(0); ++i) {
    const double value = nll.const_data_ptr<double>()[i];
    LONGCONV_CHECK(std::isfinite(value), NonFiniteError,
                   "classification: the loss of sample {} is {}; try "
                   "train.precision=\"float32\", or an earlier checkpoint",
                   result.predictions.size(), std::isnan(value) ? "nan" : "infinite");
    result.nll += value;
    result.predictions.push_back(best.const_data_ptr<std::int64_t>()[i]);
  }
}

}  // namespace

ClassificationResult classify(models::Model& model, const data::Dataset& split,
                              const PassOptions& options) {
  ClassificationResult result;
  for_each_batch(model, split, options, [&](const at::Tensor& logits, const data::Batch& batch) {
    LONGCONV_CHECK(
        logits.dim() == 2 && batch.target.dim() == 1 && logits.size(0) == batch.target.size(0),
        ShapeError, "classification: expected logits [B, classes] of {} samples, got [{}]",
        batch.target.size(0), fmt::join(logits.sizes(), ", "));
    count(result, logits, batch.target);
  });
  return result;
}

ClassificationResult predict_last_tokens(models::Model& model, const data::Dataset& split,
                                         const PassOptions& options) {
  ClassificationResult result;
  for_each_batch(model, split, options, [&](const at::Tensor& logits, const data::Batch& batch) {
    LONGCONV_CHECK(
        logits.dim() == 3 && batch.target.dim() == 1 && logits.size(0) == batch.target.size(0),
        ShapeError, "last tokens: expected logits [B, L, V] of {} rows, got [{}]",
        batch.target.size(0), fmt::join(logits.sizes(), ", "));
    count(result, logits.select(1, logits.size(1) - 1), batch.target);
  });
  return result;
}

}  // namespace longconv::train
