#define AT_PER_OPERATOR_HEADERS
#include "train/objectives/cross_entropy.h"

#include "core/base/check.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <fmt/ranges.h>

namespace longconv::train {

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target) {
  LONGCONV_CHECK(logits.dim() >= 2 && target.sizes() == logits.sizes().slice(0, logits.dim() - 1),
                 ShapeError,
                 "cross_entropy: expected logits [.., V] and target [..], got [{}] and [{}]",
                 fmt::join(logits.sizes(), ", "), fmt::join(target.sizes(), ", "));
  const at::Tensor wide = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  return at::cross_entropy_loss(wide.reshape({-1, logits.size(-1)}), target.reshape({-1}));
}

}  // namespace longconv::train
