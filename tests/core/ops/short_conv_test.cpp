// Every row of the short convolution against the float64 reference, in both layouts.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv.h"

#include "core/base/error.h"
#include "core/reference/short_conv.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <ostream>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::max_error;
using testing::max_norm;
using testing::message_of;
using testing::OnDevice;
using testing::random_values;
using testing::to_tensor;
using testing::to_values;

struct Case {
  const ShortConvRow* row;
  Dtype dtype;
  std::int64_t batch, channels, length, taps;
  bool bias, channels_last;
};

std::string describe(const Case& c) {
  return fmt::format("{}_{}_B{}_C{}_L{}_K{}{}{}", c.row->name, name(c.dtype), c.batch, c.channels,
                     c.length, c.taps, c.bias ? "_bias" : "", c.channels_last ? "_last" : "_first");
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

reference::ShortConv make_problem(const Case& c) {
  reference::ShortConv x;
  x.batch = c.batch;
  x.channels = c.channels;
  x.length = c.length;
  x.taps = c.taps;
  x.u = random_values(static_cast<std::size_t>(c.batch * c.channels * c.length), 1, c.dtype);
  x.w = random_values(static_cast<std::size_t>(c.channels * c.taps), 2, testing::wide(c.dtype));
  if (c.bias) {
    x.bias = random_values(static_cast<std::size_t>(c.channels), 3, testing::wide(c.dtype));
  }
  return x;
}

/// (B, C, L), or the transposed view of a dense (B, L, C) with the same values.
at::Tensor signal(const std::vector<double>& values, const Case& c, bool channels_last) {
  const at::Tensor u = to_tensor(values, {c.batch, c.channels, c.length}, c.dtype);
  return channels_last ? u.transpose(1, 2).contiguous().transpose(1, 2) : u;
}

class ShortConv : public OnDevice<::testing::TestWithParam<Case>> {};

TEST_P(ShortConv, MatchesTheFloat64Reference) {
  const Case& c = GetParam();
  const reference::ShortConv x = make_problem(c);
  const std::vector<double> dy = random_values(x.u.size(), 4, c.dtype);
  std::vector<at::Tensor> leaves = {
      signal(x.u, c, c.channels_last).requires_grad_(true),
      to_tensor(x.w, {c.channels, c.taps}, testing::wide(c.dtype)).requires_grad_(true)};
  std::optional<at::Tensor> bias;
  if (c.bias) {
    bias = to_tensor(x.bias, {c.channels}, testing::wide(c.dtype)).requires_grad_(true);
    leaves.push_back(*bias);
  }
  const at::Tensor y = short_conv_with(*c.row, leaves[0], leaves[1], bias);
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(y.scalar_type(), testing::scalar_type(c.dtype));
  // All values are below 1, so sums of absolute values are below K + 1.
  const double few = static_cast<double>(c.taps) + 1.0;
  const double bound = few * (testing::sum_bound(c.dtype, few) + testing::unit_roundoff(c.dtype));
  const std::vector<double> want = reference::short_conv(x);
  EXPECT_LE(max_error(to_values(y), want), bound);
  EXPECT_GT(max_norm(want), 2.0 * bound) << "zeros would pass";

  const auto grads = torch::autograd::grad({y}, leaves, {signal(dy, c, false)});
  const reference::ShortConvGradients d = reference::short_conv_backward(x, dy);
  EXPECT_LE(max_error(to_values(grads[0]), d.u), bound);
  if (c.row->variant != nullptr) {
    EXPECT_EQ(grads[0].strides(), leaves[0].strides()) << "du comes in u's layout";
  }
  const double many = static_cast<double>(c.batch * c.length);
  const double sums = many * testing::sum_bound(c.dtype, many);
  EXPECT_LE(max_error(to_values(grads[1]), d.w), sums);
  EXPECT_GT(max_norm(d.w), 2.0 * sums) << "zeros would pass";
  if (c.bias) {
    EXPECT_LE(max_error(to_values(grads[2]), d.bias), sums);
  }
}

TEST_P(ShortConv, RepeatsItselfBitForBit) {
  const Case& c = GetParam();
  const reference::ShortConv x = make_problem(c);
  const at::Tensor u = signal(x.u, c, c.channels_last);
  const at::Tensor w =
      to_tensor(x.w, {c.channels, c.taps}, testing::wide(c.dtype)).requires_grad_(true);
  const auto once = [&] {
    return torch::autograd::grad({short_conv_with(*c.row, u, w, std::nullopt).sum()}, {w})[0];
  };
  EXPECT_TRUE(once().equal(once()));
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const ShortConvRow& row : short_conv_rows()) {
    for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16}) {
      if (!row.takes(testing::test_device(), dtype)) {
        continue;
      }
      for (const bool last : {false, true}) {
        for (const std::int64_t taps : {1, 2, 3, 4, 5, 8}) {
          cases.push_back({&row, dtype, 2, 5, 11, taps, taps != 2, last});
        }
        for (const std::int64_t length : {1, 2, 7, 32, 33, 513, 1000, 1024}) {
          cases.push_back({&row, dtype, 2, 3, length, 3, true, last});
        }
        for (const std::int64_t channels : {1, 63, 64, 65, 129}) {
          cases.push_back({&row, dtype, 3, channels, 70, 3, true, last});
        }
        // Several blocks along a row, and batches beyond one block's.
        cases.push_back({&row, dtype, 2, 2, 9003, 8, true, last});
        cases.push_back({&row, dtype, 19, 2, 136, 4, true, last});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, ShortConv, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

class ShortConvOp : public OnDevice<::testing::Test> {};

TEST_F(ShortConvOp, HasFirstAndSecondDerivatives) {
  for (const ShortConvRow& row : short_conv_rows()) {
    if (!row.takes(testing::test_device(), Dtype::f64)) {
      continue;
    }
    const Case c{&row, Dtype::f64, 2, 2, 5, 3, true, true};
    const reference::ShortConv x = make_problem(c);
    const testing::TensorFunction f = [&](const testing::Tensors& v) {
      return short_conv_with(row, v[0], v[1], v[2]);
    };
    const testing::Tensors inputs = {signal(x.u, c, true), to_tensor(x.w, {2, 3}, Dtype::f64),
                                     to_tensor(x.bias, {2}, Dtype::f64)};
    EXPECT_TRUE(testing::gradcheck(f, inputs)) << row.name;
    // The bias enters linearly: no gradient depends on it.
    const at::Tensor bias = inputs[2];
    const testing::TensorFunction without_bias = [&](const testing::Tensors& v) {
      return short_conv_with(row, v[0], v[1], bias);
    };
    EXPECT_TRUE(testing::gradgradcheck(without_bias, {inputs[0], inputs[1]})) << row.name;
  }
}

TEST_F(ShortConvOp, ErrorsNameTheArgumentTheShapeWantedAndWhatCame) {
  const Case c{nullptr, Dtype::f32, 2, 4, 6, 3, true, false};
  const reference::ShortConv x = make_problem(c);
  const at::Tensor u = signal(x.u, c, false);
  const at::Tensor w = to_tensor(x.w, {4, 3}, Dtype::f32);
  const auto error = [&](const at::Tensor& input, const at::Tensor& weights,
                         const std::optional<at::Tensor>& bias) {
    return message_of<ShapeError>([&] { short_conv(input, weights, bias); });
  };
  EXPECT_THAT(error(u.select(0, 0), w, {}),
              AllOf(HasSubstr("short_conv: u must be [B, C, L]"), HasSubstr("got [4, 6]")));
  EXPECT_THAT(error(u, w.unsqueeze(1), {}),
              AllOf(HasSubstr("w must be [C, K] = [4, 1..8] in float32"),
                    HasSubstr("got [4, 1, 3] (float32")));
  EXPECT_THAT(
      error(u, at::Tensor(to_tensor(random_values(36, 1, Dtype::f32), {4, 9}, Dtype::f32)), {}),
      HasSubstr("got [4, 9]"));
  EXPECT_THAT(error(u, w, w.select(1, 0).narrow(0, 0, 3)),
              AllOf(HasSubstr("bias must be [4] (float32"), HasSubstr("got [3]")));
}

}  // namespace
}  // namespace longconv::ops
