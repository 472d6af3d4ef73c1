// First and second derivatives of every float64 row against central differences.
#include "tests/core/ops/long_conv_tensors.h"
#include "tests/support/gradcheck.h"

#include <gtest/gtest.h>

#include <ostream>

namespace longconv::ops {
namespace {

using testing::ConvShape;
using testing::gradcheck;
using testing::GradcheckOptions;
using testing::gradgradcheck;
using testing::OnDevice;
using testing::Tensors;

struct Case {
  const LongConvRow* row;
  ConvShape shape;
};

std::string describe(const Case& c) {
  return std::string(c.row->name) + "_" + testing::describe(c.shape);
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

class LongConvGradients : public OnDevice<::testing::TestWithParam<Case>> {
 protected:
  Tensors inputs() {
    LongConvInputs in =
        testing::to_inputs(testing::make_problem(GetParam().shape, Dtype::f64), Dtype::f64);
    return testing::mark_leaves(in);
  }
  testing::TensorFunction function() {
    return [shape = GetParam().shape, row = GetParam().row](const Tensors& x) {
      std::size_t next = 0;
      LongConvInputs in;
      in.u = x[next++];
      in.k = x[next++];
      const auto take = [&](bool there) {
        return there ? std::optional<at::Tensor>(x[next++]) : std::nullopt;
      };
      in.k_reverse = take(shape.reverse_taps > 0);
      in.skip = take(shape.skip);
      in.gate_in = take(shape.gate_in);
      in.gate_out = take(shape.gate_out);
      return long_conv_with(*row, in, shape.mode);
    };
  }
};

// Without gates the operator is bilinear: its second derivative in k or u alone is rightly zero.
TEST_P(LongConvGradients, AgreeWithCentralDifferences) {
  EXPECT_TRUE(gradcheck(function(), inputs()));
}

TEST_P(LongConvGradients, CanBeDifferentiatedAgain) {
  EXPECT_TRUE(gradgradcheck(function(), inputs()));
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const LongConvRow& row : long_conv_rows()) {
    const auto add = [&](const ConvShape& s) {
      if (row.takes(testing::to_shape(s, testing::test_device(), Dtype::f64))) {
        cases.push_back({&row, s});
      }
    };
    for (const ConvMode mode :
         {ConvMode::causal, ConvMode::bidirectional, ConvMode::conjugate, ConvMode::circular}) {
      ConvShape s;
      s.mode = mode;
      s.channels = 2;
      s.length = 5;
      s.taps = 4;
      s.reverse_taps = testing::two_sided(mode) ? 3 : 0;
      s.skip = false;
      add(s);
      s.skip = s.gate_in = s.gate_out = true;
      s.filters = 2;
      s.taps = mode == ConvMode::circular ? 5 : 7;
      s.reverse_taps = testing::two_sided(mode) ? 6 : 0;
      add(s);
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, LongConvGradients, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

// The checker itself must be able to fail.
class Gradcheck : public OnDevice<::testing::Test> {};

TEST_F(Gradcheck, RefusesAWrongAndAZeroGradient) {
  const at::Tensor x = testing::to_tensor({0.5, -1.0, 2.0}, {3}, Dtype::f64);
  EXPECT_TRUE(gradcheck([](const Tensors& v) { return v[0].pow(3); }, {x}));
  EXPECT_FALSE(gradcheck([](const Tensors& v) { return v[0].mul(v[0].detach()); }, {x}));
  EXPECT_FALSE(gradcheck([](const Tensors& v) { return v[0].mul(0.0); }, {x}));
  EXPECT_TRUE(gradgradcheck([](const Tensors& v) { return v[0].pow(3); }, {x}));
}

}  // namespace
}  // namespace longconv::ops
