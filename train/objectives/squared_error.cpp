#define AT_PER_OPERATOR_HEADERS
#include "train/objectives/squared_error.h"

#include "core/base/check.h"

#include <ATen/TensorOperators.h>
#include <fmt/ranges.h>

namespace longconv::train {

at::Tensor squared_error(const at::Tensor& prediction, const at::Tensor& target) {
  LONGCONV_CHECK(prediction.dim() == 2 && prediction.size(1) == 1 && target.dim() == 1 &&
                     prediction.size(0) == target.size(0),
                 ShapeError,
                 "squared_error: expected predictions [B, 1] and targets [B], got [{}] "
                 "and [{}]",
                 fmt::join(prediction.sizes(), ", "), fmt::join(target.sizes(), ", "));
  const at::Tensor wide =
      prediction.scalar_type() == at::kDouble ? prediction : prediction.to(at::kFloat);
  return (wide.squeeze(1) - target.to(wide.scalar_type())).square().mean();
}

}  // namespace longconv::train
