#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/token_nll.h"

#include <ATen/ops/cross_entropy_loss.h>

#include <algorithm>

namespace longconv::train {
namespace {

// Logits turned to float32 at a time: with 50,264 columns a whole batch would take gigabytes.
constexpr std::int64_t kChunkElements = std::int64_t{1} << 26;

}  // namespace

at::Tensor row_nll(const at::Tensor& logits, const at::Tensor& target) {
  const std::int64_t columns = logits.size(2);
  const std::int64_t steps = std::max<std::int64_t>(1, kChunkElements / (logits.size(0) * columns));
  at::Tensor sum;
  for (std::int64_t t = 0; t < logits.size(1); t += steps) {
    at::Tensor chunk = logits.slice(1, t, t + steps);
    if (chunk.scalar_type() != at::kDouble) chunk = chunk.to(at::kFloat);
    const at::Tensor nll =
        at::cross_entropy_loss(chunk.reshape({-1, columns}),
                               target.slice(1, t, t + steps).reshape({-1}), {}, at::Reduction::None)
            .reshape({logits.size(0), -1})
            .sum({1}, /*keepdim=*/false, at::kDouble);
    sum = sum.defined() ? sum.add(nll) : nll;
  }
  return sum;
}

}  // namespace longconv::train
