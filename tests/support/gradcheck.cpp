#define AT_PER_OPERATOR_HEADERS
#include "tests/support/gradcheck.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

namespace longconv::testing {
namespace {

/// Fixed weights that turn the output into a number; no symmetry of an operator cancels them.
at::Tensor weights_like(const at::Tensor& y, double phase) {
  const at::Tensor j = at::arange(y.numel(), y.options().dtype(at::kDouble));
  return at::sin(j.mul(0.37).add(phase)).view(y.sizes());
}

Tensors leaves(const Tensors& inputs) {
  Tensors copies;
  for (const at::Tensor& input : inputs) {
    copies.push_back(input.detach().clone().requires_grad_(true));
  }
  return copies;
}

at::Tensor weighted(const at::Tensor& y) { return at::mul(y, weights_like(y, 1.0)).sum(); }

double value(const TensorFunction& f, const Tensors& inputs) {
  return weighted(f(inputs).detach()).item<double>();
}

/// grad(), with zeros for inputs the output does not depend on.
Tensors gradients(const at::Tensor& loss, const Tensors& inputs, bool create_graph) {
  Tensors grads = torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/create_graph,
                                        create_graph, /*allow_unused=*/true);
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) {
      grads[i] = at::zeros_like(inputs[i]);
    }
  }
  return grads;
}

}  // namespace

::testing::AssertionResult gradcheck(const TensorFunction& f, const Tensors& inputs,
                                     const GradcheckOptions& options) {
  Tensors x = leaves(inputs);
  const at::Tensor loss = weighted(f(x));
  if (!loss.requires_grad()) {
    return ::testing::AssertionFailure() << "the output does not depend on the inputs";
  }
  const Tensors grads = gradients(loss, x, /*create_graph=*/false);
  for (at::Tensor& input : x) {
    // Contiguous copies, so that element e of the flat view is element e of the gradient's.
    input = input.detach().contiguous();
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].scalar_type() != at::kDouble) {
      return ::testing::AssertionFailure() << "input " << i << " is not float64";
    }
    const at::Tensor analytic = grads[i].contiguous().view(-1).cpu();
    const at::Tensor original = x[i];
    const double scale = analytic.abs().max().item<double>();
    if (scale == 0.0 && !options.may_be_zero) {
      return ::testing::AssertionFailure() << "the gradient of input " << i << " is all zeros";
    }
    const std::int64_t count = original.numel();
    const std::int64_t checked = options.samples > 0 ? std::min(options.samples, count) : count;
    for (std::int64_t n = 0; n < checked; ++n) {
      const std::int64_t e = n * count / checked;
      double sides[2];
      for (int side = 0; side < 2; ++side) {
        x[i] = original.clone();
        at::Tensor element = x[i].view(-1).narrow(0, e, 1);
        element.add_(side == 0 ? options.step : -options.step);
        sides[side] = value(f, x);
      }
      x[i] = original;
      const double numeric = (sides[0] - sides[1]) / (2.0 * options.step);
      const double got = analytic[e].item<double>();
      if (!(std::abs(numeric - got) <= options.tolerance * std::max(scale, 1e-300))) {
        return ::testing::AssertionFailure()
               << "input " << i << ", element " << e << ": autograd says " << got
               << ", central differences " << numeric << " (largest entry " << scale << ")";
      }
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult gradgradcheck(const TensorFunction& f, const Tensors& inputs,
                                         const GradcheckOptions& options) {
  at::Tensor probe;
  {
    const c10::AutoGradMode no_grad(false);
    probe = f(inputs);
  }
  Tensors extended = inputs;
  extended.push_back(weights_like(probe, 2.0));
  const TensorFunction gradient_of_f = [&](const Tensors& x) {
    const c10::AutoGradMode with_grad(true);
    Tensors operands(x.begin(), x.end() - 1);
    for (at::Tensor& operand : operands) {
      operand = operand.requires_grad() ? operand : operand.detach().requires_grad_(true);
    }
    const at::Tensor loss = at::mul(f(operands), x.back()).sum();
    Tensors flat;
    for (const at::Tensor& grad : gradients(loss, operands, /*create_graph=*/true)) {
      flat.push_back(grad.reshape(-1));
    }
    return at::cat(flat);
  };
  return gradcheck(gradient_of_f, extended, options);
}

}  // namespace longconv::testing
