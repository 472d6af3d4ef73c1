// The last row of the short convolutions: LibTorch's own operators, any dtype and device, each
// known to autograd, so that they also serve double backward.
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::ops {

struct ShortConvGradients {
  at::Tensor u, w, bias;
};

/// Which gradients are wanted.
struct ShortConvWanted {
  bool u = true, w = true, bias = true;
};

/// Checked u (B, C, L), w (C, K) and bias (C) or undefined, as short_conv() takes them -> y (B, C,
/// L) contiguous in u's dtype.
at::Tensor torch_short_conv(const at::Tensor& u, const at::Tensor& w, const at::Tensor& bias);

/// Its gradients for dy (B, C, L): shifts and products.
ShortConvGradients torch_short_conv_backward(const at::Tensor& u, const at::Tensor& w,
                                             const at::Tensor& bias, const at::Tensor& dy,
                                             const ShortConvWanted& wanted);

}  // namespace longconv::ops
