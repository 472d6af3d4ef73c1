// Mean squared error of a number a sample,
//
//   loss = mean_i (prediction[i] - target[i])^2
//
// as BERT's regressors are fine-tuned (models.md 3.1).
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::train {

/// prediction (B, 1) of any floating dtype, target (B) -> scalar, computed in float32 (float64 for
/// float64). Throws ShapeError.
at::Tensor squared_error(const at::Tensor& prediction, const at::Tensor& target);

}  // namespace longconv::train
