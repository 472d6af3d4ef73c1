#include "train/evaluation/split_batches.h"

#include "core/base/check.h"
#include "core/runtime/device.h"
#include "train/evaluation/eval_mode.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace longconv::train {

models::Input model_input(const data::Batch& batch, c10::Device device) {
  const auto moved = [device](const at::Tensor& x) { return x.defined() ? x.to(device) : x; };
  // Padding on the left is part of what such models read (DNA; models.md 5.4).
  return {moved(batch.input), batch.pad_left ? at::Tensor() : moved(batch.lengths),
          moved(batch.types)};
}

void for_each_batch(models::Model& model, const data::Dataset& split, const PassOptions& options,
                    const std::function<void(const at::Tensor& logits, const data::Batch&)>& use) {
  LONGCONV_CHECK(options.batch >= 1 && options.max_batches >= 0, ConfigError,
                 "evaluation: expected a batch >= 1 and max_batches >= 0, got {} and {}",
                 options.batch, options.max_batches);
  LONGCONV_CHECK(split.size() > 0, DataError, "evaluation: the split has no samples");
  const EvalMode eval_mode(model);
  const runtime::Autocast autocast(options.device, options.precision);
  std::vector<std::int64_t> indices;
  for (std::int64_t n = 0, first = 0; first < split.size(); ++n) {
    if (options.max_batches > 0 && n == options.max_batches) break;
    indices.resize(static_cast<std::size_t>(std::min(options.batch, split.size() - first)));
    std::iota(indices.begin(), indices.end(), first);
    const data::Batch batch = split.get(indices);
    use(model.logits(model_input(batch, options.device)), batch);
    first += static_cast<std::int64_t>(indices.size());
  }
}

}  // namespace longconv::train
