// Every row of the layer normalisation against the float64 reference.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/layer_norm.h"

#include "core/base/error.h"
#include "core/reference/layer_norm.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::OnDevice;
using testing::random_values;
using testing::relative_l2;
using testing::to_tensor;
using testing::to_values;

struct Case {
  const LayerNormRow* row;
  Dtype dtype;  ///< of y
  std::int64_t rows, channels;
};

std::string describe(const Case& c) {
  return fmt::format("{}_{}_R{}_D{}", c.row->name, name(c.dtype), c.rows, c.channels);
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

constexpr double kEps = 1e-5;

struct Problem {
  std::vector<double> x, dy;
  reference::LayerNorm norm;
};

Problem make_problem(const Case& c) {
  const auto count = static_cast<std::size_t>(c.rows * c.channels);
  Problem p;
  p.x = random_values(count, 1, Dtype::f32);
  for (double& value : p.x) value = testing::rounded(2.0 * value + 3.0, Dtype::f32);  // off centre
  p.dy = random_values(count, 2, c.dtype);
  p.norm.weight = random_values(static_cast<std::size_t>(c.channels), 3, Dtype::f32);
  p.norm.bias = random_values(static_cast<std::size_t>(c.channels), 4, Dtype::f32);
  p.norm.eps = kEps;
  return p;
}

/// y and the gradients of x, weight and bias.
std::vector<at::Tensor> run(const Case& c, const Problem& p) {
  const at::Tensor x = to_tensor(p.x, {c.rows, c.channels}, Dtype::f32).requires_grad_(true);
  const at::Tensor weight = to_tensor(p.norm.weight, {c.channels}, Dtype::f32).requires_grad_(true);
  const at::Tensor bias = to_tensor(p.norm.bias, {c.channels}, Dtype::f32).requires_grad_(true);
  const at::Tensor y =
      layer_norm_with(*c.row, x, weight, bias, kEps, testing::scalar_type(c.dtype));
  std::vector<at::Tensor> all = torch::autograd::grad(
      {y}, {x, weight, bias}, {to_tensor(p.dy, {c.rows, c.channels}, c.dtype)});
  all.insert(all.begin(), y.detach());
  return all;
}

class LayerNormRows : public OnDevice<::testing::TestWithParam<Case>> {};

TEST_P(LayerNormRows, AreTheFloat64Reference) {
  const Case& c = GetParam();
  const Problem p = make_problem(c);
  const std::vector<at::Tensor> got = run(c, p);
  const reference::LayerNormGradients d = reference::layer_norm_backward(p.norm, p.x, p.dy);
  // x is off centre by some three standard deviations, so its mean's rounding counts that often.
  const double wide = 32.0 * testing::unit_roundoff(Dtype::f32);
  EXPECT_EQ(got[0].scalar_type(), testing::scalar_type(c.dtype));
  EXPECT_LE(relative_l2(to_values(got[0]), reference::layer_norm(p.norm, p.x)),
            wide + testing::unit_roundoff(c.dtype));
  if (c.channels > 4) {
    EXPECT_LE(relative_l2(to_values(got[1]), d.x), wide);
  } else {  // with so few the row's direction and mean take out most of the gradient
    EXPECT_LE(testing::max_error(to_values(got[1]), d.x), 64.0 * wide);
  }
  EXPECT_LE(relative_l2(to_values(got[2]), d.weight), wide);
  EXPECT_LE(relative_l2(to_values(got[3]), d.bias), wide);
}

TEST_P(LayerNormRows, RepeatThemselvesBitForBitAndRowsDoNotTouch) {
  const Case& c = GetParam();
  const Problem p = make_problem(c);
  const std::vector<at::Tensor> first = run(c, p);
  const std::vector<at::Tensor> second = run(c, p);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(first[i].equal(second[i])) << i;
  Problem last = p;
  last.x.assign(p.x.end() - c.channels, p.x.end());
  last.dy.assign(p.dy.end() - c.channels, p.dy.end());
  const std::vector<at::Tensor> alone = run({c.row, c.dtype, 1, c.channels}, last);
  EXPECT_TRUE(alone[0].equal(first[0].narrow(0, c.rows - 1, 1)));
  EXPECT_TRUE(alone[1].equal(first[1].narrow(0, c.rows - 1, 1)));
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const LayerNormRow& row : layer_norm_rows()) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
      if (row.variant != nullptr &&
          (row.variant->device != testing::test_device() || row.variant->dtype != dtype)) {
        continue;
      }
      for (const std::int64_t channels : {4, 64, 128, 132, 256, 260, 512, 768, 864, 1024}) {
        cases.push_back({&row, dtype, 37, channels});
      }
      for (const std::int64_t rows : {1, 7, 8, 9, 6000}) cases.push_back({&row, dtype, rows, 256});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, LayerNormRows, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

class LayerNormOp : public OnDevice<::testing::Test> {};

TEST_F(LayerNormOp, HasFirstAndSecondDerivatives) {
  const testing::TensorFunction f = [](const testing::Tensors& x) {
    return layer_norm(x[0], x[1], x[2], kEps, at::kDouble);
  };
  const testing::Tensors inputs = {to_tensor(random_values(18, 1, Dtype::f64), {3, 6}, Dtype::f64),
                                   to_tensor(random_values(6, 2, Dtype::f64), {6}, Dtype::f64),
                                   to_tensor(random_values(6, 3, Dtype::f64), {6}, Dtype::f64)};
  EXPECT_TRUE(testing::gradcheck(f, inputs));
  testing::GradcheckOptions options;
  options.may_be_zero = true;  // slopes do not depend on the bias
  EXPECT_TRUE(testing::gradgradcheck(f, inputs, options));
}

TEST_F(LayerNormOp, TheDerivativesDerivativeIsLibTorchs) {
  const at::Tensor x =
      to_tensor(random_values(64, 1, Dtype::f32), {4, 16}, Dtype::f32).requires_grad_(true);
  const at::Tensor weight =
      to_tensor(random_values(16, 2, Dtype::f32), {16}, Dtype::f32).requires_grad_(true);
  const at::Tensor bias = at::ones({16}, x.options().requires_grad(false));
  const auto second = [&](const at::Tensor& y) {
    const auto slope =
        torch::autograd::grad({y.square().sum()}, {x}, {}, /*retain_graph=*/true, true)[0];
    return torch::autograd::grad({slope.square().sum()}, {weight})[0];
  };
  EXPECT_LE(relative_l2(to_values(second(layer_norm(x, weight, bias, kEps, at::kFloat))),
                        to_values(second(layer_norm_with(layer_norm_rows().back(), x, weight, bias,
                                                         kEps, at::kFloat)))),
            1e-5);
}

TEST_F(LayerNormOp, TakesOtherSizesAndViewsToo) {
  const at::Tensor all =
      to_tensor(random_values(1 + 5 * 1028, 1, Dtype::f32), {1 + 5 * 1028}, Dtype::f32);
  for (const std::int64_t channels : {1, 3, 30, 257, 1028}) {
    const at::Tensor x = all.narrow(0, 1, 5 * channels).view({5, channels});
    const at::Tensor one = at::ones({channels}, x.options());
    const at::Tensor y = layer_norm(x, one, one, kEps, at::kFloat);
    EXPECT_LE(relative_l2(to_values(y), reference::layer_norm(
                                            {to_values(one), to_values(one), kEps}, to_values(x))),
              1e-5);
  }
}

TEST_F(LayerNormOp, ErrorsSayWhatWasWanted) {
  const at::Tensor x = at::ones({2, 8}, at::TensorOptions(at::kFloat));
  const at::Tensor w = at::ones({8}, at::TensorOptions(at::kFloat));
  EXPECT_THAT(
      message_of<ShapeError>([&] { layer_norm(x, w.narrow(0, 0, 4), w, kEps, at::kFloat); }),
      AllOf(HasSubstr("layer_norm: weight must be [8]"), HasSubstr("got [4]")));
  EXPECT_THAT(message_of<ShapeError>([&] { layer_norm(x, w, w, kEps, at::kLong); }),
              HasSubstr("floating dtypes only"));
  EXPECT_THAT(
      message_of<ShapeError>([&] { layer_norm(x.to(at::kBFloat16), w, w, kEps, at::kFloat); }),
      HasSubstr("x must be [.., D] in float32 or float64"));
}

}  // namespace
}  // namespace longconv::ops
