#define AT_PER_OPERATOR_HEADERS
#include "train/objectives/absolute_error.h"

#include "core/base/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/where.h>
#include <fmt/ranges.h>

namespace longconv::train {

at::Tensor absolute_error(const at::Tensor& prediction, const at::Tensor& target) {
  LONGCONV_CHECK(prediction.sizes() == target.sizes(), ShapeError,
                 "absolute_error: expected predictions of the targets' shape [{}], got [{}]",
                 fmt::join(target.sizes(), ", "), fmt::join(prediction.sizes(), ", "));
  const at::Tensor wide =
      prediction.scalar_type() == at::kDouble ? prediction : prediction.to(at::kFloat);
  const at::Tensor asked = at::isnan(target).logical_not();
  // A prediction takes a missing target's place, so that the difference and its slope are 0.
  const at::Tensor goal = at::where(asked, target.to(wide.scalar_type()), wide.detach());
  return (wide - goal).abs().sum() / asked.sum();
}

}  // namespace longconv::train
