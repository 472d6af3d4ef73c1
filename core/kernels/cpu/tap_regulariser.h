// Smoothing, squash and dropout of filters on the CPU, a row at a time. Parallel over rows;
// deterministic.
#pragma once

#include "core/kernels/tap_regulariser.h"

namespace longconv::kernels::cpu {

/// T is float or double, and the dtype of every tensor.
template <class T>
void tap_regulariser_forward(const TapRegulariserArgs& args, Stream stream);

template <class T>
void tap_regulariser_backward(const TapRegulariserGradArgs& args, Stream stream);

extern template void tap_regulariser_forward<float>(const TapRegulariserArgs&, Stream);
extern template void tap_regulariser_forward<double>(const TapRegulariserArgs&, Stream);
extern template void tap_regulariser_backward<float>(const TapRegulariserGradArgs&, Stream);
extern template void tap_regulariser_backward<double>(const TapRegulariserGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
