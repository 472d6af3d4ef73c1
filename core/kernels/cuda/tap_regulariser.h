// Smoothing, squash and dropout of filters on a GPU, one reading of them a pass. Errors: CudaError.
#pragma once

#include "core/kernels/tap_regulariser.h"

namespace longconv::kernels::cuda {

void tap_regulariser_forward_f32(const TapRegulariserArgs& args, Stream stream);
void tap_regulariser_forward_f64(const TapRegulariserArgs& args, Stream stream);
void tap_regulariser_backward_f32(const TapRegulariserGradArgs& args, Stream stream);
void tap_regulariser_backward_f64(const TapRegulariserGradArgs& args, Stream stream);

}  // namespace longconv::kernels::cuda
