// Every row of the long convolution against the float64 reference, its properties and its errors.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/long_conv.h"

#include "core/base/error.h"
#include "core/ops/long_conv_fft.h"
#include "tests/core/ops/long_conv_tensors.h"
#include "tests/support/temp_folder.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <ostream>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using testing::ConvShape;
using ::testing::HasSubstr;
using testing::max_error;
using testing::max_norm;
using testing::message_of;
using testing::OnDevice;
using testing::RowAndType;
using testing::to_inputs;
using testing::to_values;

struct Case {
  RowAndType row;
  ConvShape shape;
};

std::string describe(const Case& c) {
  return testing::describe(c.row) + "_" + testing::describe(c.shape);
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

void expect_close(const at::Tensor& got, const std::vector<double>& want,
                  const std::vector<double>& absolute, double bound, const char* what) {
  const double allowed = bound * max_norm(absolute);
  EXPECT_LE(max_error(to_values(got), want), allowed) << what;
  if (!want.empty() && max_norm(want) > 0.0) {
    EXPECT_GT(max_norm(want), 2.0 * allowed) << what << ": zeros would pass";
  }
}

class LongConv : public OnDevice<::testing::TestWithParam<Case>> {};

TEST_P(LongConv, MatchesTheFloat64Reference) {
  const auto& [row, shape] = GetParam();
  const reference::LongConv x = testing::make_problem(shape, row.dtype);
  const reference::LongConv abs_x = testing::absolute(x);
  const std::vector<double> dy = testing::output_gradient(shape, row.dtype);
  const double bound = testing::signal_bound(shape, row.dtype, testing::sums_of(*row.row));
  const double filters = testing::filter_bound(shape, row.dtype, testing::sums_of(*row.row));

  LongConvInputs in = to_inputs(x, row.dtype);
  const std::vector<at::Tensor> leaves = testing::mark_leaves(in);
  const at::Tensor y = long_conv_with(*row.row, in, shape.mode);
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(y.scalar_type(), testing::scalar_type(row.dtype));
  EXPECT_EQ(y.dim(), shape.filters == 1 ? 3 : 4);
  expect_close(y, reference::long_conv(x), reference::long_conv(abs_x), bound, "y");

  const auto grads =
      torch::autograd::grad({y}, leaves, {testing::to_tensor(dy, y.sizes(), row.dtype)});
  const auto want = reference::long_conv_backward(x, dy);
  const auto scale = reference::long_conv_backward(abs_x, testing::absolute(dy));
  std::size_t next = 0;
  const auto expect_gradient = [&](const std::vector<double>& wanted,
                                   const std::vector<double>& absolute, double allowed,
                                   const char* what) {
    if (!wanted.empty()) {
      const at::Tensor& grad = grads.at(next);
      EXPECT_EQ(grad.sizes(), leaves[next].sizes()) << what;
      EXPECT_EQ(grad.scalar_type(), leaves[next].scalar_type()) << what;
      ++next;
      expect_close(grad, wanted, absolute, allowed, what);
    }
  };
  expect_gradient(want.u, scale.u, bound, "du");
  expect_gradient(want.k, scale.k, filters, "dk");
  expect_gradient(want.k_reverse, scale.k_reverse, filters, "dk_reverse");
  // The gradient of one more tap of lag 0. A transform's noise is far below its worst case, in
  // which zeros would pass for the longest row.
  const bool halved = testing::sums_of(*row.row) == testing::Sums::by_half_transform;
  expect_gradient(want.skip, scale.skip, halved ? filters / 2 : filters, "dskip");
  expect_gradient(want.gate_in, scale.gate_in, bound, "dgate_in");
  expect_gradient(want.gate_out, scale.gate_out, bound, "dgate_out");
  EXPECT_EQ(next, leaves.size());
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const RowAndType& row : testing::rows_and_types()) {
    for (const ConvShape& shape : testing::conv_shapes()) {
      if (row.row->takes(testing::to_shape(shape, testing::test_device(), row.dtype))) {
        cases.push_back({row, shape});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, LongConv, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

// ---- properties
// ----------------------------------------------------------------------------------

class LongConvRows : public OnDevice<::testing::TestWithParam<RowAndType>> {
 protected:
  Dtype dtype() const { return GetParam().dtype; }
  ConvShape shape() const {
    ConvShape s;
    s.length = s.taps = 200;
    return s;
  }
  at::Tensor run(const LongConvInputs& in, ConvMode mode = ConvMode::causal) const {
    return long_conv_with(*GetParam().row, in, mode);
  }
  double bound() const {
    return testing::signal_bound(shape(), dtype(), testing::sums_of(*GetParam().row));
  }
  double largest_sum(const reference::LongConv& x) const {
    return max_norm(reference::long_conv(testing::absolute(x)));
  }
};

double largest(const at::Tensor& x) { return max_norm(to_values(x)); }

TEST_P(LongConvRows, NeverLooksAhead) {
  const reference::LongConv x = testing::make_problem(shape(), dtype());
  LongConvInputs in = to_inputs(x, dtype());
  const at::Tensor before = run(in);
  in.u = in.u.clone();
  in.u.narrow(2, 120, 80).neg_();
  const at::Tensor change = before.sub(run(in));
  // Direct sums do not see the future at all; transforms to their noise.
  const bool direct = testing::sums_of(*GetParam().row) == testing::Sums::direct;
  const double allowed = direct ? 0.0 : 2.0 * bound() * largest_sum(x);
  EXPECT_LE(largest(change.narrow(2, 0, 120)), allowed);
  EXPECT_GT(largest(change.narrow(2, 120, 80)), 0.5);
}

TEST_P(LongConvRows, TreatsADeltaFilterAsTheIdentity) {
  LongConvInputs in = to_inputs(testing::make_problem(shape(), dtype()), dtype());
  in.skip.reset();
  in.k = at::zeros_like(in.k);
  in.k.select(1, 0).fill_(1.0);
  // By transform the noise is a part of the row's magnitude.
  EXPECT_LE(largest(run(in).sub(in.u)), bound() * largest(in.u));
  EXPECT_GT(largest(in.u), 0.9);
}

TEST_P(LongConvRows, IsLinearInInputAndFilter) {
  const reference::LongConv x = testing::make_problem(shape(), dtype());
  LongConvInputs in = to_inputs(x, dtype());
  const at::Tensor y = run(in);
  LongConvInputs scaled = in;
  scaled.u = in.u.mul(-4.0);  // a power of two: exact
  EXPECT_LE(largest(run(scaled).add(y.mul(4.0))), 8.0 * bound() * largest_sum(x));
  scaled = in;
  scaled.k = in.k.mul(0.5);
  scaled.skip = in.skip->mul(0.5);
  EXPECT_LE(largest(run(scaled).mul(2.0).sub(y)), 4.0 * bound() * largest_sum(x));
}

TEST_P(LongConvRows, GivesBatchRowsThatDoNotTouch) {
  const reference::LongConv x = testing::make_problem(shape(), dtype());
  LongConvInputs in = to_inputs(x, dtype());
  const at::Tensor together = run(in);
  in.u = in.u.narrow(0, 1, 1);
  EXPECT_LE(largest(run(in).sub(together.narrow(0, 1, 1))), 2.0 * bound() * largest_sum(x));
  EXPECT_GT(largest(together.narrow(0, 0, 1).sub(together.narrow(0, 1, 1))), 0.5);
}

TEST_P(LongConvRows, HasABackwardThatIsItsAdjoint) {
  for (const ConvMode mode :
       {ConvMode::causal, ConvMode::bidirectional, ConvMode::conjugate, ConvMode::circular}) {
    ConvShape s = shape();
    s.mode = mode;
    s.reverse_taps = testing::two_sided(mode) ? s.length : 0;
    if (!GetParam().row->takes(testing::to_shape(s, testing::test_device(), dtype()))) {
      continue;
    }
    LongConvInputs in = to_inputs(testing::make_problem(s, dtype()), dtype());
    in.u.requires_grad_(true);
    const at::Tensor y = run(in, mode);
    const at::Tensor g =
        testing::to_tensor(testing::output_gradient(s, dtype()), y.sizes(), dtype());
    const at::Tensor du = torch::autograd::grad({y}, {in.u}, {g})[0];
    const auto inner = [](const at::Tensor& a, const at::Tensor& b) {
      return a.to(at::kDouble).mul(b.to(at::kDouble)).sum().item<double>();
    };
    const double left = inner(y.detach(), g);
    const double scale = inner(y.detach().abs(), g.abs());
    EXPECT_LE(std::abs(left - inner(in.u.detach(), du)), 4.0 * bound() * scale);
    EXPECT_GT(scale, 1.0);
  }
}

TEST_P(LongConvRows, ComputesTheSameUnderAutocast) {
  const LongConvInputs in = to_inputs(testing::make_problem(shape(), dtype()), dtype());
  const at::Tensor plain = run(in);
  const auto type = testing::torch_device().type();
  at::autocast::set_autocast_enabled(type, true);
  const at::Tensor cast = run(in);
  at::autocast::set_autocast_enabled(type, false);
  at::autocast::clear_cache();
  EXPECT_TRUE(cast.equal(plain));
}

TEST_P(LongConvRows, RepeatsItselfBitForBit) {
  ConvShape s = shape();
  s.gate_in = s.gate_out = true;
  LongConvInputs in = to_inputs(testing::make_problem(s, dtype()), dtype());
  const std::vector<at::Tensor> leaves = testing::mark_leaves(in);
  const auto once = [&] {
    const at::Tensor y = run(in);
    std::vector<at::Tensor> all = torch::autograd::grad({y.sum()}, leaves);
    all.push_back(y);
    return all;
  };
  const auto first = once();
  const auto second = once();
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(first[i].equal(second[i])) << i;
  }
}

TEST_P(LongConvRows, ReadsSlicesOfAProjectionInPlace) {
  ConvShape s = shape();
  s.gate_in = s.gate_out = true;
  const LongConvInputs in = to_inputs(testing::make_problem(s, dtype()), dtype());
  const at::Tensor projection = at::cat({*in.gate_out, *in.gate_in, in.u}, 1);
  const std::vector<at::Tensor> chunks = projection.split(s.channels, 1);
  LongConvInputs slices = in;
  slices.gate_out = chunks[0];
  slices.gate_in = chunks[1];
  slices.u = chunks[2];
  EXPECT_FALSE(slices.u.is_contiguous());
  EXPECT_TRUE(run(slices).equal(run(in)));
}

INSTANTIATE_TEST_SUITE_P(EveryRow, LongConvRows, ::testing::ValuesIn(testing::rows_and_types()),
                         [](const auto& param_info) {
                           return testing::describe(param_info.param);
                         });

// ---- precision, choice, errors
// -------------------------------------------------------------------

class LongConvFallback : public OnDevice<::testing::Test> {};

const LongConvRow& torch_fft() { return long_conv_rows().back(); }

TEST_F(LongConvFallback, RunsNarrowTypesInFloat32) {
  ConvShape s;
  s.length = s.taps = 1024;
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    const reference::LongConv x = testing::make_problem(s, dtype);
    const LongConvInputs narrow = to_inputs(x, dtype);
    LongConvInputs wide = narrow;
    wide.u = narrow.u.to(at::kFloat);
    const at::Tensor y = long_conv_with(torch_fft(), narrow, ConvMode::causal);
    const at::Tensor want = long_conv_with(torch_fft(), wide, ConvMode::causal);
    EXPECT_TRUE(y.equal(want.to(y.scalar_type()))) << "one rounding, at the end";
    // Rounding the output alone costs about 0.4 units in the last place.
    EXPECT_LE(testing::relative_l2(to_values(y), reference::long_conv(x)),
              0.6 * testing::unit_roundoff(dtype));
  }
}

TEST_F(LongConvFallback, AddsTheSkipWithoutLosingASmallFilter) {
  // At Hyena's initialisation the skip is about 1 and the filter tiny.
  ConvShape s;
  s.length = s.taps = 1024;
  reference::LongConv x = testing::make_problem(s, Dtype::f32);
  for (double& tap : x.k) {
    tap = testing::rounded(1e-3 * tap, Dtype::f32);
  }
  reference::LongConv filter_alone = x;
  filter_alone.skip.clear();
  const LongConvInputs in = to_inputs(x, Dtype::f32);
  const at::Tensor y = long_conv_with(torch_fft(), in, ConvMode::causal);
  const at::Tensor rest =
      y.to(at::kDouble).sub(in.u.to(at::kDouble).mul(in.skip->to(at::kDouble).unsqueeze(1)));
  // y itself is rounded at 6e-8 of the skip's part, 1000 times the filter's.
  EXPECT_LE(testing::relative_l2(to_values(rest), reference::long_conv(filter_alone)), 5e-4);
}

TEST_F(LongConvFallback, ChoosesFastTransformSizes) {
  EXPECT_EQ(fft::fast_size(1), 2);
  EXPECT_EQ(fft::fast_size(2047), 2048);
  EXPECT_EQ(fft::fast_size(2049), 2058);  // 2 3 7^3
  EXPECT_EQ(fft::fast_size(1999), 2000);
}

class LongConvChoice : public OnDevice<::testing::Test> {};

TEST_F(LongConvChoice, IsTheKernelsTableThenTheFallback) {
  ConvShape s;
  const auto chosen = [&](Dtype dtype) {
    return std::string(
        choose_long_conv_row(to_inputs(testing::make_problem(s, dtype), dtype), ConvMode::causal)
            .name);
  };
  const bool narrow = testing::test_device() == Device::cuda;
  s.length = s.taps = 4096;
  EXPECT_EQ(chosen(Dtype::bf16), narrow ? "cuda_ring_bf16" : "torch_fft");
  EXPECT_EQ(chosen(Dtype::f32), narrow ? "cuda_ring_f32" : "torch_fft");
  EXPECT_EQ(chosen(Dtype::f64), "torch_fft");
  s.taps = 100;
  EXPECT_EQ(chosen(Dtype::f16), narrow ? "cuda_ring_f16" : "torch_fft");
  s.length = s.taps = 32769;
  EXPECT_EQ(chosen(Dtype::bf16), narrow ? "cuda_passes_bf16" : "torch_fft");
  s.length = (1 << 20) + 1;
  EXPECT_EQ(chosen(Dtype::bf16), "torch_fft");
  s.length = s.taps = 16;
  if (testing::test_device() == Device::cpu) {
    EXPECT_EQ(chosen(Dtype::f64), "cpu_direct_f64");
    EXPECT_EQ(chosen(Dtype::f32), "cpu_direct_f32");
  }
  EXPECT_EQ(chosen(Dtype::bf16), narrow ? "cuda_toeplitz_bf16" : "torch_fft");
  EXPECT_EQ(chosen(Dtype::f16), narrow ? "cuda_toeplitz_f16" : "torch_fft");
}

TEST_F(LongConvChoice, CanBeConfinedToTheFallback) {
  ConvShape s;
  s.length = s.taps = 16;
  const LongConvInputs in = to_inputs(testing::make_problem(s, Dtype::f32), Dtype::f32);
  set_long_conv_by_fft_only(true);
  const std::string confined = choose_long_conv_row(in, ConvMode::causal).name;
  set_long_conv_by_fft_only(false);
  EXPECT_EQ(confined, "torch_fft");
  if (testing::test_device() == Device::cpu) {
    EXPECT_STREQ(choose_long_conv_row(in, ConvMode::causal).name, "cpu_direct_f32");
  }
}

class LongConvErrors : public OnDevice<::testing::Test> {
 protected:
  LongConvInputs good() const {
    ConvShape s;
    s.gate_in = s.gate_out = true;
    return to_inputs(testing::make_problem(s, Dtype::f32), Dtype::f32);
  }
  template <class Change>
  std::string error_after(Change change, ConvMode mode = ConvMode::causal) const {
    LongConvInputs in = good();
    change(in);
    return message_of<ShapeError>([&] { long_conv(in, mode); });
  }
};

TEST_F(LongConvErrors, NameTheArgumentTheShapeWantedAndWhatCame) {
  EXPECT_THAT(error_after([](auto& in) { in.k = in.k.narrow(0, 0, 2); }),
              AllOf(HasSubstr("long_conv: k must be [H, K] = [3, K >= 1] in float32"),
                    HasSubstr("u [2, 3, 8] (float32"), HasSubstr("got [2, 8] (float32")));
  EXPECT_THAT(error_after([](auto& in) { in.k = in.k.to(at::kDouble); }),
              AllOf(HasSubstr("k must be"), HasSubstr("in float32"), HasSubstr("(float64")));
  EXPECT_THAT(error_after([](auto& in) { in.u = in.u.select(0, 0); }),
              AllOf(HasSubstr("u must be [B, H, L]"), HasSubstr("got [3, 8]")));
  EXPECT_THAT(error_after([](auto& in) { in.u = in.u.to(at::kInt); }),
              HasSubstr("u must be float64, float32, bf16 or fp16"));
  EXPECT_THAT(error_after([](auto& in) { in.skip = in.skip->unsqueeze(0); }),
              AllOf(HasSubstr("skip must be [3]"), HasSubstr("got [1, 3]")));
  EXPECT_THAT(error_after([](auto& in) { in.gate_in = in.gate_in->to(at::kBFloat16); }),
              AllOf(HasSubstr("gate_in must be [2, 3, 8] (float32"), HasSubstr("(bf16")));
  EXPECT_THAT(error_after([](auto& in) { in.gate_out = in.gate_out->narrow(2, 0, 7); }),
              AllOf(HasSubstr("gate_out must be [2, 3, 8]"), HasSubstr("got [2, 3, 7]")));
}

TEST_F(LongConvErrors, SayWhichModesTakeAReverseFilter) {
  EXPECT_THAT(error_after([](auto&) {}, ConvMode::bidirectional),
              HasSubstr("k_reverse is missing"));
  EXPECT_THAT(error_after([](auto& in) { in.k_reverse = in.k; }),
              HasSubstr("k_reverse was given, but causal and circular filters take none"));
  EXPECT_THAT(
      error_after(
          [](auto& in) {
            in.k = at::cat({in.k, in.k}, 1);
          },
          ConvMode::circular),
      AllOf(HasSubstr("circular filter may have at most L = 8 taps"), HasSubstr("[3, 16]")));
}

TEST_F(LongConvErrors, SayThatARowDoesNotTakeTheInputs) {
  const LongConvInputs in = good();
  for (const LongConvRow& row : long_conv_rows()) {
    if (!row.takes({testing::test_device(), Dtype::f32, 8, 8})) {
      EXPECT_THAT(message_of<UnsupportedError>([&] { long_conv_with(row, in, ConvMode::causal); }),
                  AllOf(HasSubstr(row.name), HasSubstr("does not take u [2, 3, 8]")));
    }
  }
}

}  // namespace
}  // namespace longconv::ops
