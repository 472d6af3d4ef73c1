// The short convolution on the CPU, by tiles of channels and time that are copied (and so
// transposed, if channels lie together) into rows. Parallel over channels; deterministic.
#pragma once

#include "core/kernels/short_conv.h"

namespace longconv::kernels::cpu {

/// T is float or double, and the dtype of every tensor.
template <class T>
void short_conv_forward(const ShortConvArgs& args, Stream stream);

template <class T>
void short_conv_backward(const ShortConvGradArgs& args, Stream stream);

/// 0: sums stay in registers.
std::int64_t short_conv_workspace_bytes(const ShortConvArgs& args);

extern template void short_conv_forward<float>(const ShortConvArgs&, Stream);
extern template void short_conv_forward<double>(const ShortConvArgs&, Stream);
extern template void short_conv_backward<float>(const ShortConvGradArgs&, Stream);
extern template void short_conv_backward<double>(const ShortConvGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
