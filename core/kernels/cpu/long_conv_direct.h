// The long convolution by direct sums on the CPU: the best choice for few taps, and exact to the
// rounding of its sums (no transform noise). Parallel over channels; deterministic.
#pragma once

#include "core/kernels/long_conv.h"

namespace longconv::kernels::cpu {

/// T is float or double, and the dtype of every tensor. Work: B C H L min(K, L).
template <class T>
void direct_forward(const LongConvArgs& args, Stream stream);

template <class T>
void direct_backward(const LongConvGradArgs& args, Stream stream);

extern template void direct_forward<float>(const LongConvArgs&, Stream);
extern template void direct_forward<double>(const LongConvArgs&, Stream);
extern template void direct_backward<float>(const LongConvGradArgs&, Stream);
extern template void direct_backward<double>(const LongConvGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
