// Mean absolute error over what was measured,
//
//   loss = mean_i |prediction[i] - target[i]|      over all i whose target is not NaN
//
// as the brain-data task has it (data.md 3.4).
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::train {

/// Both of one shape; the prediction of any floating dtype -> scalar, computed in float32 (float64
/// for float64). No gradient flows where nothing was measured. Throws ShapeError.
at::Tensor absolute_error(const at::Tensor& prediction, const at::Tensor& target);

}  // namespace longconv::train
