// Every row of the projection's short convolution, split and first gate against the float64
// reference.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv_gate.h"

#include "core/base/error.h"
#include "core/reference/short_conv_gate.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <c10/core/GradMode.h>
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
  const ShortConvGateRow* row;
  Dtype dtype;
  std::int64_t batch, channels, order, length, taps;
  bool bias;
  [[nodiscard]] std::int64_t all() const { return (order + 1) * channels; }
};

std::string describe(const Case& c) {
  return fmt::format("{}_{}_B{}_D{}_N{}_L{}_K{}{}", c.row->name, name(c.dtype), c.batch, c.channels,
                     c.order, c.length, c.taps, c.bias ? "_bias" : "");
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

reference::ShortConvGate make_problem(const Case& c) {
  reference::ShortConvGate x;
  x.batch = c.batch;
  x.channels = c.channels;
  x.order = c.order;
  x.length = c.length;
  x.taps = c.taps;
  x.p = random_values(static_cast<std::size_t>(c.batch * c.length * c.all()), 1, c.dtype);
  x.w = random_values(static_cast<std::size_t>(c.all() * c.taps), 2, testing::wide(c.dtype));
  if (c.bias) {
    x.bias = random_values(static_cast<std::size_t>(c.all()), 3, testing::wide(c.dtype));
  }
  return x;
}

struct Inputs {
  at::Tensor p, w;
  std::optional<at::Tensor> bias;
  [[nodiscard]] std::vector<at::Tensor> leaves() const {
    return bias ? std::vector<at::Tensor>{p, w, *bias} : std::vector<at::Tensor>{p, w};
  }
};

Inputs to_inputs(const reference::ShortConvGate& x, const Case& c) {
  const Dtype wide = testing::wide(c.dtype);
  Inputs in;
  in.p = to_tensor(x.p, {c.batch, c.length, c.all()}, c.dtype).requires_grad_(true);
  in.w = to_tensor(x.w, {c.all(), c.taps}, wide).requires_grad_(true);
  if (c.bias) {
    in.bias = to_tensor(x.bias, {c.all()}, wide).requires_grad_(true);
  }
  return in;
}

GatedParts run(const Case& c, const Inputs& in) {
  return short_conv_gate_with(*c.row, in.p, in.w, in.bias, c.order);
}

class ShortConvGate : public OnDevice<::testing::TestWithParam<Case>> {};

TEST_P(ShortConvGate, MatchesTheFloat64Reference) {
  const Case& c = GetParam();
  const reference::ShortConvGate x = make_problem(c);
  const Inputs in = to_inputs(x, c);
  const GatedParts out = run(c, in);
  EXPECT_EQ(out.gates.sizes(), (at::IntArrayRef{c.batch, (c.order - 1) * c.channels, c.length}));
  EXPECT_EQ(out.product.sizes(), (at::IntArrayRef{c.batch, c.channels, c.length}));
  EXPECT_TRUE(out.product.is_contiguous() && out.gates.is_contiguous());
  EXPECT_EQ(out.product.scalar_type(), testing::scalar_type(c.dtype));

  // All values are below 1, so s and its sums of absolute values are below K + 1.
  const double few = static_cast<double>(c.taps) + 1.0;
  const double s_bound = few * testing::sum_bound(c.dtype, few);
  const double out_bound = s_bound + few * testing::unit_roundoff(c.dtype);
  const double product_bound = 2.0 * few * s_bound + few * few * testing::unit_roundoff(c.dtype);
  const reference::GatedParts want = reference::short_conv_gate(x);
  EXPECT_LE(max_error(to_values(out.gates), want.gates), out_bound);
  EXPECT_LE(max_error(to_values(out.product), want.product), product_bound);
  EXPECT_GT(max_norm(want.product), 2.0 * product_bound) << "zeros would pass";

  reference::GatedParts dy;
  dy.gates = random_values(want.gates.size(), 4, c.dtype);
  dy.product = random_values(want.product.size(), 5, c.dtype);
  const auto grads = torch::autograd::grad({out.gates, out.product}, in.leaves(),
                                           {to_tensor(dy.gates, out.gates.sizes(), c.dtype),
                                            to_tensor(dy.product, out.product.sizes(), c.dtype)});
  const reference::ShortConvGateGradients d = reference::short_conv_gate_backward(x, dy);
  // ds is below K + 1 and off by s_bound and a product's rounding; dp sums K of them.
  const double ds_bound = s_bound + few * testing::sum_bound(c.dtype, 0.0);
  const double dp_bound = few * (ds_bound + few * testing::sum_bound(c.dtype, few) +
                                 few * testing::unit_roundoff(c.dtype));
  EXPECT_TRUE(grads[0].is_contiguous() || c.row->variant == nullptr);
  EXPECT_LE(max_error(to_values(grads[0]), d.p), dp_bound);
  EXPECT_GT(max_norm(d.p), 2.0 * dp_bound) << "zeros would pass";
  const double many = static_cast<double>(c.batch * c.length);
  const double sums = many * (ds_bound + few * testing::sum_bound(c.dtype, many));
  EXPECT_LE(max_error(to_values(grads[1]), d.w), sums);
  EXPECT_GT(max_norm(d.w), 2.0 * sums) << "zeros would pass";
  if (c.bias) {
    EXPECT_LE(max_error(to_values(grads[2]), d.bias), sums);
  }
}

TEST_P(ShortConvGate, RepeatsItselfBitForBit) {
  const Case& c = GetParam();
  const Inputs in = to_inputs(make_problem(c), c);
  const auto once = [&] {
    const GatedParts out = run(c, in);
    std::vector<at::Tensor> all =
        torch::autograd::grad({out.gates, out.product}, in.leaves(),
                              {at::ones_like(out.gates), at::ones_like(out.product)});
    all.push_back(out.gates);
    all.push_back(out.product);
    return all;
  };
  const std::vector<at::Tensor> first = once();
  const std::vector<at::Tensor> second = once();
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(first[i].equal(second[i])) << i;
  }
}

TEST_P(ShortConvGate, NeverLooksAheadAndRowsDoNotTouch) {
  const Case& c = GetParam();
  const Inputs in = to_inputs(make_problem(c), c);
  const std::int64_t half = c.length / 2;
  const c10::NoGradGuard no_grad;
  at::Tensor changed = in.p.detach().clone();
  changed.narrow(1, half, c.length - half).add_(1.0);
  const GatedParts before = run(c, in);
  const GatedParts after = run(c, {changed, in.w, in.bias});
  EXPECT_TRUE(before.gates.narrow(2, 0, half).equal(after.gates.narrow(2, 0, half)));
  EXPECT_TRUE(before.product.narrow(2, 0, half).equal(after.product.narrow(2, 0, half)));
  EXPECT_FALSE(before.product.select(2, half).equal(after.product.select(2, half)));
  // Alone, the last sequence gives the same bits.
  const GatedParts alone = run(c, {in.p.narrow(0, c.batch - 1, 1).contiguous(), in.w, in.bias});
  EXPECT_TRUE(alone.product.equal(before.product.narrow(0, c.batch - 1, 1)));
  EXPECT_TRUE(alone.gates.equal(before.gates.narrow(0, c.batch - 1, 1)));
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const ShortConvGateRow& row : short_conv_gate_rows()) {
    for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16}) {
      if (!row.takes(testing::test_device(), dtype)) {
        continue;
      }
      for (const std::int64_t taps : {1, 2, 3, 4, 5, 8}) {
        cases.push_back({&row, dtype, 2, 5, 2, 11, taps, taps != 2});
        cases.push_back({&row, dtype, 2, 8, 2, 272, taps, true});
      }
      for (const std::int64_t length : {1, 2, 7, 16, 127, 128, 129, 136, 513, 1000, 1024}) {
        cases.push_back({&row, dtype, 2, 3, 2, length, 3, true});
      }
      for (const std::int64_t channels : {1, 31, 32, 33, 64, 65, 130}) {
        cases.push_back({&row, dtype, 3, channels, 2, 72, 3, true});
      }
      cases.push_back({&row, dtype, 2, 8, 2, 2200, 8, true});
      for (const std::int64_t order : {1, 3, 4}) {
        cases.push_back({&row, dtype, 2, 20, order, 150, 3, true});
        cases.push_back({&row, dtype, 1, 7, order, 33, 4, false});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, ShortConvGate, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

class ShortConvGateOp : public OnDevice<::testing::Test> {};

TEST_F(ShortConvGateOp, HasFirstAndSecondDerivatives) {
  for (const ShortConvGateRow& row : short_conv_gate_rows()) {
    if (!row.takes(testing::test_device(), Dtype::f64)) {
      continue;
    }
    for (const std::int64_t order : {1, 2, 3}) {
      const Case c{&row, Dtype::f64, 2, 2, order, 5, 3, true};
      const Inputs in = to_inputs(make_problem(c), c);
      const testing::TensorFunction f = [&](const testing::Tensors& v) {
        const GatedParts out = short_conv_gate_with(row, v[0], v[1], v[2], order);
        return at::cat({out.gates, out.product}, 1);
      };
      const testing::Tensors inputs = {in.p.detach(), in.w.detach(), in.bias->detach()};
      EXPECT_TRUE(testing::gradcheck(f, inputs)) << row.name << " order " << order;
      EXPECT_TRUE(testing::gradgradcheck(f, inputs)) << row.name << " order " << order;
    }
  }
}

TEST_F(ShortConvGateOp, OneOutputAloneHasItsGradient) {
  const Case c{&short_conv_gate_rows()[0], Dtype::f64, 2, 3, 2, 9, 3, true};
  const reference::ShortConvGate x = make_problem(c);
  Inputs in = to_inputs(x, c);
  const GatedParts out = short_conv_gate(in.p, in.w, in.bias, c.order);
  const auto size = static_cast<std::size_t>(out.gates.numel());
  const auto d = reference::short_conv_gate_backward(
      x, {std::vector<double>(size, 0.0), std::vector<double>(size, 1.0)});
  const auto got = torch::autograd::grad({out.product.sum()}, {in.p});
  EXPECT_LE(max_error(to_values(got[0]), d.p), 1e-13);
}

TEST_F(ShortConvGateOp, ErrorsNameTheArgumentTheShapeWantedAndWhatCame) {
  const Case c{nullptr, Dtype::f32, 2, 4, 2, 6, 3, true};
  const Inputs in = to_inputs(make_problem(c), c);
  const auto error = [&](const at::Tensor& p, const at::Tensor& w,
                         const std::optional<at::Tensor>& bias, std::int64_t order) {
    return message_of<ShapeError>([&] { short_conv_gate(p, w, bias, order); });
  };
  EXPECT_THAT(error(in.p.select(0, 0), in.w, {}, 2),
              AllOf(HasSubstr("short_conv_gate: p must be [B, L, 3 D]"), HasSubstr("got [6, 12]")));
  EXPECT_THAT(error(in.p, in.w, {}, 4), HasSubstr("p must be [B, L, 5 D]"));
  EXPECT_THAT(error(in.p, in.w, {}, 0), HasSubstr("order must be at least 1, got 0"));
  EXPECT_THAT(error(in.p, in.w.narrow(0, 0, 4), {}, 2),
              AllOf(HasSubstr("w must be [C, K] = [12, 1..8] in float32"),
                    HasSubstr("got [4, 3] (float32")));
  EXPECT_THAT(error(in.p, in.w, in.w.select(1, 0).narrow(0, 0, 3), 2),
              AllOf(HasSubstr("bias must be [12] (float32"), HasSubstr("got [3]")));
}

}  // namespace
}  // namespace longconv::ops
