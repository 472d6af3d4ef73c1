// The block-diagonal linear layer against the dense one with the same matrix in float64.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/block_linear.h"

#include "core/base/error.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"

#include <ATen/ops/block_diag.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/unbind.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

namespace longconv::ops {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::OnDevice;

class BlockLinear : public OnDevice<::testing::TestWithParam<Dtype>> {};

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  return got.detach().to(at::kDouble).sub(want.detach()).norm().item<double>() /
         want.detach().norm().item<double>();
}

TEST_P(BlockLinear, MatchesTheDenseLayer) {
  const at::ScalarType type = testing::scalar_type(GetParam());
  const at::ScalarType wide = testing::scalar_type(testing::wide(GetParam()));
  const at::TensorOptions options = at::TensorOptions().device(testing::torch_device());
  const double roundoff = testing::unit_roundoff(GetParam());
  struct Shape {
    std::vector<std::int64_t> rows;
    std::int64_t blocks, in, out;
  };
  for (const Shape& s : {Shape{{3, 5}, 4, 8, 16}, Shape{{70}, 3, 7, 2},
                         Shape{{2, 3, 40}, 4, 48, 96}, Shape{{1}, 1, 1, 1}}) {
    SCOPED_TRACE(::testing::Message() << s.blocks << " " << s.in << " " << s.out);
    const auto leaf = [&](at::IntArrayRef shape, at::ScalarType as) {
      return at::randn(shape, options).to(type).to(as).requires_grad_(true);
    };
    std::vector<std::int64_t> shape = s.rows;
    shape.push_back(s.blocks * s.in);
    const at::Tensor x = leaf(shape, type);
    const at::Tensor weight = leaf({s.blocks, s.out, s.in}, wide);  // representable in x's dtype
    const at::Tensor bias = leaf({s.blocks * s.out}, wide);
    const auto exact = [](const at::Tensor& t) {
      return t.detach().to(at::kDouble).requires_grad_(true);
    };
    const std::vector<at::Tensor> e = {exact(x), exact(weight), exact(bias)};
    const at::Tensor y = block_linear(x, weight, bias);
    const at::Tensor want = at::linear(e[0], at::block_diag(at::unbind(e[1])), e[2]);
    EXPECT_EQ(y.scalar_type(), type);
    EXPECT_EQ(y.sizes(), want.sizes());
    EXPECT_TRUE(y.is_contiguous());
    // Of one output the terms may cancel: the error is relative to the sum of their magnitudes.
    const double size = at::linear(e[0].abs(), at::block_diag(at::unbind(e[1].abs())), e[2].abs())
                            .norm()
                            .item<double>();
    EXPECT_LE(y.detach().to(at::kDouble).sub(want.detach()).norm().item<double>(),
              8.0 * roundoff * size);
    if (want.numel() > 1) {
      EXPECT_GT(want.norm().item<double>(), 16.0 * roundoff * size) << "zeros would pass";
    }
    EXPECT_LE(relative_l2(block_linear(x, weight, {}), want.sub(e[2])), 8.0 * roundoff);
    const at::Tensor dy = at::randn(y.sizes(), options).to(type);
    const auto d = torch::autograd::grad({y}, {x, weight, bias}, {dy});
    const auto d_want = torch::autograd::grad({want}, e, {dy.to(at::kDouble)});
    EXPECT_EQ(d[1].scalar_type(), wide);
    EXPECT_EQ(d[2].scalar_type(), wide);
    for (std::size_t i = 0; i < d.size(); ++i) {
      EXPECT_LE(relative_l2(d[i], d_want[i]), 8.0 * roundoff) << "input " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, BlockLinear,
                         ::testing::Values(Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16),
                         [](const auto& param_info) {
                           return std::string(name(param_info.param));
                         });

class BlockLinearOp : public OnDevice<::testing::Test> {};

TEST_F(BlockLinearOp, HasFirstAndSecondDerivatives) {
  const at::TensorOptions options =
      at::TensorOptions().device(testing::torch_device()).dtype(at::kDouble);
  const testing::Tensors inputs = {at::randn({2, 3, 6}, options), at::randn({2, 4, 3}, options),
                                   at::randn({8}, options)};
  EXPECT_TRUE(testing::gradcheck(
      [](const testing::Tensors& x) { return block_linear(x[0], x[1], x[2]); }, inputs));
  EXPECT_TRUE(
      testing::gradgradcheck([](const testing::Tensors& x) { return block_linear(x[0], x[1], {}); },
                             {inputs[0], inputs[1]}));
}

TEST_F(BlockLinearOp, ErrorsNameTheArgumentTheShapeWantedAndWhatCame) {
  const at::TensorOptions options = at::TensorOptions().device(testing::torch_device());
  const at::Tensor x = at::randn({2, 6}, options);
  const at::Tensor w = at::randn({2, 4, 3}, options);
  EXPECT_THAT(message_of<ShapeError>([&] { block_linear(x.to(at::kLong), w, {}); }),
              HasSubstr("block_linear"));
  EXPECT_THAT(message_of<ShapeError>([&] { block_linear(x, w.transpose(1, 2), {}); }),
              HasSubstr("weight must be [nb, O, I] with nb I = 6"));
  EXPECT_THAT(message_of<ShapeError>([&] { block_linear(x, w, at::randn({7}, options)); }),
              HasSubstr("bias must be [8]"));
}

}  // namespace
}  // namespace longconv::ops
