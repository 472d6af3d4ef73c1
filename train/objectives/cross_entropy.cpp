#define AT_PER_OPERATOR_HEADERS
#include "train/objectives/cross_entropy.h"

#include "core/base/check.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <fmt/ranges.h>

namespace longconv::train {

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target) {
  LONGCONV_CHECK(logits.dim() == 3 && target.dim() == 2 && logits.size(0) == target.size(0) &&
                     logits.size(1) == target.size(1),
                 ShapeError,
                 "cross_entropy: expected logits [B, L, V] and target [B, L], got [{}] and [{}]",
                 fmt::join(logits.sizes(), ", "), fmt::join(target.sizes(), ", "));
  const at::Tensor wide = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  return at::cross_entropy_loss(wide.reshape({-1, logits.size(2)}), target.reshape({-1}));
}

}  // namespace longconv::train
