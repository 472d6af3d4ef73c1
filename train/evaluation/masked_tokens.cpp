#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/masked_tokens.h"

#include "core/base/check.h"
#include "core/runtime/device.h"
#include "train/evaluation/eval_mode.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/nonzero.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

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
                                   const PerplexityOptions& options) {
  LONGCONV_CHECK(options.batch >= 1 && options.max_batches >= 0, ConfigError,
                 "masked tokens: expected a batch >= 1 and max_batches >= 0, got {} and {}",
                 options.batch, options.max_batches);
  const EvalMode eval_mode(model);
  const runtime::Autocast autocast(options.device, options.precision);
  MaskedTokens result;
  std::vector<std::int64_t> indices;
  for (std::int64_t n = 0, first = 0; first < split.size(); ++n) {
    if (options.max_batches > 0 && n == options.max_batches) break;
    indices.resize(static_cast<std::size_t>(std::min(options.batch, split.size() - first)));
    std::iota(indices.begin(), indices.end(), first);
    const data::Batch batch = split.get(indices);
    add(result, model.logits(batch.input.to(options.device)), batch, first);
    first += static_cast<std::int64_t>(indices.size());
  }
  LONGCONV_CHECK(result.tokens > 0, DataError,
                 "masked tokens: nothing is masked in {} samples; see data.mlm.evaluation_share",
                 split.size());
  return result;
}

}  // namespace longconv::train
