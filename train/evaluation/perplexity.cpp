#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/perplexity.h"

#include "core/base/check.h"
#include "core/runtime/device.h"
#include "train/evaluation/eval_mode.h"
#include "train/evaluation/split_batches.h"
#include "train/evaluation/token_nll.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longconv::train {
namespace {

// Equal windows of one pass: window i reads tokens [first + i stride, first + i stride + length],
// and its first `context` predictions do not count.
struct Pass {
  std::int64_t first;
  std::int64_t windows;
  std::int64_t length;
  std::int64_t context;
};

at::Tensor read_windows(const data::WindowDataset& split, const Pass& pass, std::int64_t stride) {
  at::Tensor tokens = at::empty({pass.windows, pass.length + 1}, at::kLong);
  auto* row = tokens.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < pass.windows; ++i, row += pass.length + 1) {
    split.read(pass.first + i * stride, {row, static_cast<std::size_t>(pass.length + 1)});
  }
  return tokens;
}

void check(const models::Model& model, const data::WindowDataset& split,
           const PerplexityOptions& options) {
  LONGCONV_CHECK(options.seq_len >= 1 && options.seq_len <= model.l_max(), ConfigError,
                 "perplexity: data.seq_len = {} must be between 1 and the model's l_max = {}",
                 options.seq_len, model.l_max());
  LONGCONV_CHECK(options.overlap >= 0 && options.overlap < options.seq_len, ConfigError,
                 "perplexity: overlap = {} must be at least 0 and below the window of {} tokens",
                 options.overlap, options.seq_len);
  LONGCONV_CHECK(options.batch >= 1 && options.max_batches >= 0, ConfigError,
                 "perplexity: expected a batch >= 1 and max_batches >= 0, got {} and {}",
                 options.batch, options.max_batches);
  LONGCONV_CHECK(split.tokens() >= 2, DataError,
                 "perplexity: expected a split of at least 2 tokens, got {}; hold out more text",
                 split.tokens());
}

}  // namespace

double PerplexityResult::perplexity() const { return std::exp(loss()); }

double PerplexityResult::bits_per_byte(std::int64_t split_tokens, std::int64_t split_bytes) const {
  return loss() / std::numbers::ln2 * static_cast<double>(split_tokens) /
         static_cast<double>(split_bytes);
}

PerplexityResult perplexity(models::Model& model, const data::WindowDataset& split,
                            const PerplexityOptions& options) {
  check(model, split, options);
  const EvalMode eval_mode(model);
  const runtime::Autocast autocast(options.device, options.precision);
  const std::int64_t predictions = split.tokens() - 1;
  const std::int64_t stride = options.seq_len - options.overlap;
  PerplexityResult result;
  std::int64_t first = 0;
  for (std::int64_t n = 0; result.tokens < predictions; ++n) {
    if (options.max_batches > 0 && n == options.max_batches) break;
    Pass pass{first, 0, options.seq_len, first == 0 ? 0 : options.overlap};
    if (first + options.seq_len <= predictions) {
      pass.windows = std::min((predictions - first - options.seq_len) / stride + 1, options.batch);
      // The very first window counts everything, so with an overlap it goes alone.
      if (first == 0 && options.overlap > 0) pass.windows = 1;
    } else {
      pass.windows = 1;
      pass.length = predictions - first;
    }
    const at::Tensor tokens = read_windows(split, pass, stride).to(options.device);
    const at::Tensor logits = model.logits(tokens.slice(1, 0, pass.length));
    const at::Tensor nll =
        row_nll(logits.slice(1, pass.context), tokens.slice(1, 1 + pass.context)).cpu();
    for (std::int64_t i = 0; i < pass.windows; ++i) {
      const double value = nll.const_data_ptr<double>()[i];
      LONGCONV_CHECK(std::isfinite(value), NonFiniteError,
                     "perplexity: the loss of the window at token {} ({} tokens) is {}; try "
                     "train.precision=\"float32\", or an earlier checkpoint",
                     first + i * stride, pass.length, std::isnan(value) ? "nan" : "infinite");
      result.nll += value;
    }
    result.tokens += pass.windows * (pass.length - pass.context);
    first += pass.windows * stride;
  }
  return result;
}

PerplexityResult perplexity(models::Model& model, const data::Dataset& split,
                            const PerplexityOptions& options) {
  if (const auto* shards = dynamic_cast<const data::WindowDataset*>(&split)) {
    return perplexity(model, *shards, options);
  }
  LONGCONV_CHECK(options.overlap == 0, ConfigError,
                 "perplexity: overlap = {}, but windows of this data do not follow one another",
                 options.overlap);
  LONGCONV_CHECK(split.seq_len() <= model.l_max(), ConfigError,
                 "perplexity: windows of {} tokens, the model's l_max is {}", split.seq_len(),
                 model.l_max());
  PerplexityResult result;
  std::int64_t window = 0;
  for_each_batch(model, split, options, [&](const at::Tensor& logits, const data::Batch& batch) {
    const at::Tensor nll = row_nll(logits, batch.target.to(options.device)).cpu();
    for (std::int64_t i = 0; i < nll.size(0); ++i, ++window) {
      const double value = nll.const_data_ptr<double>()[i];
      LONGCONV_CHECK(std::isfinite(value), NonFiniteError,
                     "perplexity: the loss of window {} is {}; try train.precision=\"float32\", or "
                     "an earlier checkpoint",
                     window, std::isnan(value) ? "nan" : "infinite");
      result.nll += value;
    }
    const auto* asked = batch.target.const_data_ptr<std::int64_t>();
    result.tokens +=
        batch.target.numel() - std::count(asked, asked + batch.target.numel(), std::int64_t{-100});
  });
  LONGCONV_CHECK(result.tokens > 0, DataError, "perplexity: no token to be predicted in {} windows",
                 split.size());
  return result;
}

}  // namespace longconv::train
