// Compares derivatives with central differences in float64, which LibTorch's C++ API does not do.
//
//   EXPECT_TRUE(gradcheck([](const Tensors& x) { return op(x[0], x[1]); }, {u, k}));
//
// The function's output is multiplied by fixed values and summed; each element of each input is
// moved by +-step, and the slope compared with autograd's gradient. Errors are relative to the
// largest entry of that input's gradient. A gradient that is all zeros fails: it would prove
// nothing.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace longconv::testing {

using Tensors = std::vector<at::Tensor>;
using TensorFunction = std::function<at::Tensor(const Tensors&)>;

struct GradcheckOptions {
  double step = 1e-5;        ///< central differences are off by about step^2 f''' / 6
  double tolerance = 1e-6;   ///< relative to the gradient's largest entry
  std::int64_t samples = 0;  ///< elements checked per input, evenly spread; 0 = all
  bool may_be_zero = false;  ///< accept gradients that are zero everywhere
};

/// Checks the gradient of every input (float64 tensors; copies are made).
::testing::AssertionResult gradcheck(const TensorFunction& f, const Tensors& inputs,
                                     const GradcheckOptions& options = {});

/// Checks the gradients of the gradients: with respect to the inputs and the output's gradient.
::testing::AssertionResult gradgradcheck(const TensorFunction& f, const Tensors& inputs,
                                         const GradcheckOptions& options = {});

}  // namespace longconv::testing
