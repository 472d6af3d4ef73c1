// The linear layer on (B, D, L) against the same layer on a transposed copy in float64.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/transposed_linear.h"

#include "core/base/error.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

namespace longconv::ops {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::OnDevice;

class TransposedLinear : public OnDevice<::testing::TestWithParam<Dtype>> {};

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  return got.detach().to(at::kDouble).sub(want.detach()).norm().item<double>() /
         want.detach().norm().item<double>();
}

TEST_P(TransposedLinear, MatchesALinearLayerOfTheTransposedCopy) {
  const Dtype dtype = GetParam();
  const at::ScalarType type = testing::scalar_type(dtype);
  const at::ScalarType wide = testing::scalar_type(testing::wide(dtype));
  const at::TensorOptions options = at::TensorOptions().device(testing::torch_device());
  const double roundoff = testing::unit_roundoff(dtype);
  struct Shape {
    std::int64_t batch, in, out, length;
  };
  // Short and long against O: the weight's gradient has two ways to be summed.
  for (const Shape& s : {Shape{3, 8, 16, 5}, Shape{2, 7, 3, 70}, Shape{1, 16, 8, 129}}) {
    SCOPED_TRACE(::testing::Message() << s.batch << " " << s.in << " " << s.out << " " << s.length);
    const auto leaf = [&](at::IntArrayRef shape, at::ScalarType as) {
      return at::randn(shape, options).to(type).to(as).requires_grad_(true);
    };
    const at::Tensor v = leaf({s.batch, s.in, s.length}, type);
    const at::Tensor weight = leaf({s.out, s.in}, wide);  // representable in v's dtype
    const at::Tensor bias = leaf({s.out}, wide);
    const auto exact = [](const at::Tensor& x) {
      return x.detach().to(at::kDouble).requires_grad_(true);
    };
    const std::vector<at::Tensor> e = {exact(v), exact(weight), exact(bias)};
    const at::Tensor y = transposed_linear(v, weight, bias);
    const at::Tensor want = at::linear(e[0].transpose(1, 2), e[1], e[2]);
    EXPECT_EQ(y.scalar_type(), type);
    EXPECT_EQ(y.sizes(), want.sizes());
    EXPECT_LE(relative_l2(y, want), 8.0 * roundoff);
    const at::Tensor dy = at::randn(y.sizes(), options).to(type);
    const auto d = torch::autograd::grad({y}, {v, weight, bias}, {dy});
    const auto d_want = torch::autograd::grad({want}, e, {dy.to(at::kDouble)});
    EXPECT_TRUE(d[0].is_contiguous()) << "time stays last";
    EXPECT_EQ(d[1].scalar_type(), wide);
    EXPECT_EQ(d[2].scalar_type(), wide);
    const bool wide_sums = testing::test_device() == Device::cuda;
    EXPECT_LE(relative_l2(d[0], d_want[0]), 8.0 * roundoff);
    EXPECT_LE(relative_l2(d[1], d_want[1]),
              wide_sums ? 256.0 * testing::unit_roundoff(testing::wide(dtype)) : 8.0 * roundoff);
    EXPECT_LE(relative_l2(d[2], d_want[2]), 64.0 * testing::unit_roundoff(testing::wide(dtype)));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, TransposedLinear,
                         ::testing::Values(Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16),
                         [](const auto& param_info) {
                           return std::string(name(param_info.param));
                         });

class TransposedLinearOp : public OnDevice<::testing::Test> {};

TEST_F(TransposedLinearOp, HasFirstAndSecondDerivatives) {
  const at::TensorOptions options =
      at::TensorOptions().device(testing::torch_device()).dtype(at::kDouble);
  for (const std::int64_t length : {2, 9}) {
    const testing::TensorFunction f = [](const testing::Tensors& x) {
      return transposed_linear(x[0], x[1], x[2]);
    };
    const testing::Tensors inputs = {at::randn({2, 3, length}, options), at::randn({4, 3}, options),
                                     at::randn({4}, options)};
    EXPECT_TRUE(testing::gradcheck(f, inputs)) << length;
    const testing::TensorFunction without_bias = [&](const testing::Tensors& x) {
      return transposed_linear(x[0], x[1], inputs[2]);
    };
    EXPECT_TRUE(testing::gradgradcheck(without_bias, {inputs[0], inputs[1]})) << length;
  }
}

TEST_F(TransposedLinearOp, ErrorsNameTheArgumentTheShapeWantedAndWhatCame) {
  const at::TensorOptions options = at::TensorOptions().device(testing::torch_device());
  const at::Tensor v = at::randn({2, 3, 5}, options);
  const at::Tensor w = at::randn({4, 3}, options);
  const at::Tensor bias = at::randn({4}, options);
  EXPECT_THAT(message_of<ShapeError>([&] { transposed_linear(v.select(0, 0), w, bias); }),
              HasSubstr("v must be [B, D, L], none of them 0, got [3, 5]"));
  EXPECT_THAT(message_of<ShapeError>([&] { transposed_linear(v, w.t(), bias); }),
              HasSubstr("weight must be [O, D] = [O, 3]"));
  EXPECT_THAT(message_of<ShapeError>([&] { transposed_linear(v, w, bias.narrow(0, 0, 3)); }),
              HasSubstr("bias must be [4]"));
}

}  // namespace
}  // namespace longconv::ops
