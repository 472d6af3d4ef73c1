// A module's gradients against differences of its loss.
#pragma once

#include "tests/models/small_models.h"

#include <functional>

namespace longconv::testing {

inline double max_abs(const at::Tensor& x) { return x.abs().max().item<double>(); }

/// Every parameter's gradient against the slope of the loss in one direction per tensor, by
/// differences of fourth order: three nested sines of frequency 10 bend too much for second order.
inline void expect_slopes(torch::nn::Module& module, const std::function<at::Tensor()>& loss) {
  module.zero_grad();
  loss().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (auto& parameter : module.named_parameters()) {
    at::Tensor& tensor = parameter.value();
    ASSERT_TRUE(tensor.grad().defined()) << parameter.key();
    const at::Tensor direction = det(50, tensor.sizes());
    const at::Tensor kept = tensor.clone();
    const auto moved = [&](double steps) {
      tensor.copy_(kept + steps * kStep * direction);
      return loss().item<double>();
    };
    const double slope =
        (8.0 * (moved(1.0) - moved(-1.0)) - (moved(2.0) - moved(-2.0))) / (12.0 * kStep);
    tensor.copy_(kept);
    const double size = tensor.grad().norm().item<double>() * direction.norm().item<double>();
    EXPECT_GT(size, 0.0) << parameter.key();
    EXPECT_NEAR((tensor.grad() * direction).sum().item<double>(), slope, 1e-6 * size)
        << parameter.key();
  }
}

}  // namespace longconv::testing
