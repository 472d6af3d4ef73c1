// The projection's short convolution, split and first gate on the CPU: a channel's row at a time is
// gathered, convolved and gated. Parallel over channels; deterministic.
#pragma once

#include "core/kernels/short_conv_gate.h"

namespace longconv::kernels::cpu {

/// T is float or double, and the dtype of every tensor.
template <class T>
void short_conv_gate_forward(const ShortConvGateArgs& args, Stream stream);

template <class T>
void short_conv_gate_backward(const ShortConvGateGradArgs& args, Stream stream);

/// 0: sums stay in registers.
std::int64_t short_conv_gate_workspace_bytes(const ShortConvGateArgs& args);

extern template void short_conv_gate_forward<float>(const ShortConvGateArgs&, Stream);
extern template void short_conv_gate_forward<double>(const ShortConvGateArgs&, Stream);
extern template void short_conv_gate_backward<float>(const ShortConvGateGradArgs&, Stream);
extern template void short_conv_gate_backward<double>(const ShortConvGateGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
