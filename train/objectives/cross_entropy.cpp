#define AT_PER_OPERATOR_HEADERS
#include "train/objectives/cross_entropy.h"

#include "core/base/check.h"

#include <ATen/ops/clamp_min.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/div.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/sum.h>
#include <fmt/ranges.h>

namespace longconv::train {
namespace {
constexpr std::int64_t kIgnored = -100;  // LibTorch's default ignore_index
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target) {
  LONGCONV_CHECK(logits.dim() >= 2 && target.sizes() == logits.sizes().slice(0, logits.dim() - 1),
                 ShapeError,
                 "cross_entropy: expected logits [.., V] and target [..], got [{}] and [{}]",
                 fmt::join(logits.sizes(), ", "), fmt::join(target.sizes(), ", "));
  const at::Tensor wide = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  const at::Tensor sum = at::cross_entropy_loss(wide.reshape({-1, logits.size(-1)}),
                                                target.reshape({-1}), {}, at::Reduction::Sum);
  // Masks are drawn: a small batch may have none, and its loss is 0, not 0 / 0.
  return sum.div(target.ne(kIgnored).sum().clamp_min(1));
}

}  // namespace longconv::train
