#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/masked_tokens.h"

#include "core/base/check.h"
#include "train/evaluation/split_batches.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/nonzero.h>

#include <cmath>

namespace longconv::train {
namespace {

constexpr std::int64_t kIgnored = -100;

/// Adds a batch; `first` is its first sample's number.
void add(MaskedTokens& result, const at::Tensor& logits, const data::Batch& batch,
         std::int64_t first) {
  const at::Tensor labels = batch.target.reshape({-1});
  const at::Tensor asked = labels.ne(kIgnored).nonzero().squeeze(1);
  if (asked.numel() == 0) return;
  const at::Tensor target = labels.index_select(0, asked);
  // A few rows of the logits: as float32, all of them would take gigabytes.
  at::Tensor rows = logits.flatten(0, 1).index_select(0, asked.to(logits.device()));
  if (rows.scalar_type() != at::kDouble) rows = rows.to(at::kFloat);
  const at::Tensor on_device = target.to(logits.device());
  const at::Tensor nll =
      at::cross_entropy_loss(rows, on_device, {}, at::Reduction::None).to(at::kDouble).cpu();
  for (std::int64_t i = 0; i < nll.numel(); ++i) {
    const double value = nll.const_data_ptr<double>()[i];
    const std::int64_t sample =
        first + asked.const_data_ptr<std::int64_t>()[i] / batch.target.size(1);
    LONGCONV_CHECK(std::isfinite(value), NonFiniteError,
                   "masked tokens: the loss of a token of sample {} is {}; try "
                   "train.precision=\"float32\", or an earlier checkpoint",
                   sample, std::isnan(value) ? "nan" : "infinite");
    result.nll += value;
  }
  result.tokens += nll.numel();
  result.correct += rows.argmax(1).eq(on_device).sum().item<std::int64_t>();
}

}  // namespace

MaskedTokens measure_masked_tokens(models::Model& model, const data::Dataset& split,
                                   const PassOptions& options) {
  MaskedTokens result;
  std::int64_t first = 0;
  for_each_batch(model, split, options, [&](const at::Tensor& logits, const data::Batch& batch) {
    add(result, logits, batch, first);
    first += batch.target.size(0);
  });
  LONGCONV_CHECK(result.tokens > 0, DataError,
                 "masked tokens: nothing is masked in {} samples; see data.mlm.evaluation_share",
                 split.size());
  return result;
}

}  // namespace longconv::train
