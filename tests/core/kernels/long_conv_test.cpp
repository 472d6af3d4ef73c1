// Every CPU row of the long convolution's table against the float64 reference, on raw pointers.
// (Rows on a GPU are walked by test_core_ops_gpu, which has device memory to offer.)
#include "core/kernels/long_conv.h"

#include "tests/support/long_conv_cases.h"

#include <gtest/gtest.h>

#include <cstring>
#include <ostream>

namespace longconv::kernels {
namespace {

using testing::ConvShape;
using testing::max_error;
using testing::max_norm;

struct Case {
  const LongConvVariant* variant;
  ConvShape shape;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.variant->name << " " << testing::describe(c.shape);
}

/// A problem's tensors in the row's own type, and a call on them.
template <class T>
struct Call {
  explicit Call(const reference::LongConv& x, const std::vector<double>& output_gradient = {})
      : u(x.u.begin(), x.u.end()),
        k(x.k.begin(), x.k.end()),
        k_reverse(x.k_reverse.begin(), x.k_reverse.end()),
        skip(x.skip.begin(), x.skip.end()),
        gate_in(x.gate_in.begin(), x.gate_in.end()),
        gate_out(x.gate_out.begin(), x.gate_out.end()),
        dy(output_gradient.begin(), output_gradient.end()),
        y(static_cast<std::size_t>(x.batch * x.filters * x.channels * x.length), T(-99)) {
    const std::int64_t stride = x.channels * x.length;
    args.u = u.data();
    args.k = k.data();
    args.k_reverse = k_reverse.empty() ? nullptr : k_reverse.data();
    args.skip = skip.empty() ? nullptr : skip.data();
    args.gate_in = gate_in.empty() ? nullptr : gate_in.data();
    args.gate_out = gate_out.empty() ? nullptr : gate_out.data();
    args.y = y.data();
    args.u_batch_stride = args.gate_in_batch_stride = args.gate_out_batch_stride = stride;
    args.batch = x.batch;
    args.filters = x.filters;
    args.channels = x.channels;
    args.length = x.length;
    args.taps = x.taps;
    args.reverse_taps = x.reverse_taps;
    args.dtype = sizeof(T) == sizeof(double) ? Dtype::f64 : Dtype::f32;
    args.mode = static_cast<ConvMode>(x.mode);
  }

  std::vector<double> forward(const LongConvVariant& variant) {
    variant.forward(args, nullptr);
    return {y.begin(), y.end()};
  }

  reference::LongConvGradients backward(const LongConvVariant& variant) {
    std::vector<T> du(u.size(), T(-99)), dk(k.size(), T(-99)), dkr(k_reverse.size(), T(-99)),
        dskip(skip.size(), T(-99)), din(gate_in.size(), T(-99)), dout(gate_out.size(), T(-99));
    LongConvGradArgs grad;
    grad.inputs = args;
    grad.dy = dy.data();
    const auto pointer = [](std::vector<T>& x) { return x.empty() ? nullptr : x.data(); };
    grad.du = pointer(du);
    grad.dk = pointer(dk);
    grad.dk_reverse = pointer(dkr);
    grad.dskip = pointer(dskip);
    grad.dgate_in = pointer(din);
    grad.dgate_out = pointer(dout);
    variant.backward(grad, nullptr);
    reference::LongConvGradients d;
    d.u.assign(du.begin(), du.end());
    d.k.assign(dk.begin(), dk.end());
    d.k_reverse.assign(dkr.begin(), dkr.end());
    d.skip.assign(dskip.begin(), dskip.end());
    d.gate_in.assign(din.begin(), din.end());
    d.gate_out.assign(dout.begin(), dout.end());
    return d;
  }

  std::vector<T> u, k, k_reverse, skip, gate_in, gate_out, dy, y;
  LongConvArgs args;
};

/// Calls body(Call<T>&) with the T of the row.
template <class Body>
auto with_call(const LongConvVariant& variant, const reference::LongConv& x,
               const std::vector<double>& dy, Body body) {
  if (variant.dtype == Dtype::f64) {
    Call<double> call(x, dy);
    return body(call);
  }
  Call<float> call(x, dy);
  return body(call);
}

void expect_close(const std::vector<double>& got, const std::vector<double>& want,
                  const std::vector<double>& absolute, double bound, const char* what) {
  const double allowed = bound * max_norm(absolute);
  EXPECT_LE(max_error(got, want), allowed) << what;
  if (!want.empty() && max_norm(want) > 0.0) {
    EXPECT_GT(max_norm(want), 2.0 * allowed) << what << ": zeros would pass";
  }
}

class LongConv : public ::testing::TestWithParam<Case> {};

TEST_P(LongConv, MatchesTheFloat64Reference) {
  const LongConvVariant* const variant = GetParam().variant;
  const ConvShape& shape = GetParam().shape;
  const reference::LongConv x = testing::make_problem(shape, variant->dtype);
  const std::vector<double> dy = testing::output_gradient(shape, variant->dtype);
  const reference::LongConv abs_x = testing::absolute(x);
  const double bound = testing::signal_bound(shape, variant->dtype, testing::Sums::direct);

  const auto y = with_call(*variant, x, dy, [&](auto& call) { return call.forward(*variant); });
  expect_close(y, reference::long_conv(x), reference::long_conv(abs_x), bound, "y");

  const auto d = with_call(*variant, x, dy, [&](auto& call) { return call.backward(*variant); });
  const auto want = reference::long_conv_backward(x, dy);
  const auto scale = reference::long_conv_backward(abs_x, testing::absolute(dy));
  expect_close(d.u, want.u, scale.u, bound, "du");
  expect_close(d.k, want.k, scale.k, bound, "dk");
  expect_close(d.k_reverse, want.k_reverse, scale.k_reverse, bound, "dk_reverse");
  expect_close(d.skip, want.skip, scale.skip, bound, "dskip");
  expect_close(d.gate_in, want.gate_in, scale.gate_in, bound, "dgate_in");
  expect_close(d.gate_out, want.gate_out, scale.gate_out, bound, "dgate_out");
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const LongConvVariant& variant : long_conv_variants()) {
    for (const ConvShape& shape : testing::conv_shapes()) {
      if (takes(variant, testing::to_shape(shape, Device::cpu, variant.dtype))) {
        cases.push_back({&variant, shape});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryVariant, LongConv, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) {
                           return std::string(param_info.param.variant->name) + "_" +
                                  testing::describe(param_info.param.shape);
                         });

class LongConvRow : public ::testing::TestWithParam<const LongConvVariant*> {
 protected:
  const LongConvVariant& variant() const { return *GetParam(); }
};

TEST_P(LongConvRow, ReadsChannelSlicesInPlace) {
  ConvShape shape;
  shape.batch = 3;
  shape.channels = 2;
  shape.length = shape.taps = 37;
  const reference::LongConv x = testing::make_problem(shape, variant().dtype);
  // u lies in the middle of rows of 5 channels, all else NaN.
  const auto check = [&](auto& call) {
    using Values = std::decay_t<decltype(call.u)>;
    const std::int64_t wide_stride = 5 * shape.length;
    Values wide(static_cast<std::size_t>(3 * wide_stride),
                std::numeric_limits<typename Values::value_type>::quiet_NaN());
    for (std::int64_t b = 0; b < 3; ++b) {
      std::copy_n(call.u.data() + b * 2 * shape.length, 2 * shape.length,
                  wide.data() + b * wide_stride + shape.length);
    }
    const std::vector<double> want = call.forward(variant());
    call.args.u = wide.data() + shape.length;
    call.args.u_batch_stride = wide_stride;
    EXPECT_EQ(call.forward(variant()), want);
    return 0;
  };
  with_call(variant(), x, {}, check);
}

TEST_P(LongConvRow, GivesARowTheSameBitsInAnyCompany) {
  ConvShape shape;
  shape.batch = 3;
  shape.length = shape.taps = 100;
  const reference::LongConv all = testing::make_problem(shape, variant().dtype);
  reference::LongConv last = all;
  last.batch = 1;
  const std::int64_t row = shape.channels * shape.length;
  last.u.assign(all.u.begin() + 2 * row, all.u.end());
  const auto run = [&](auto& call) { return call.forward(variant()); };
  const std::vector<double> together = with_call(variant(), all, {}, run);
  const std::vector<double> alone = with_call(variant(), last, {}, run);
  EXPECT_EQ(alone, std::vector<double>(together.begin() + 2 * row, together.end()));
}

TEST_P(LongConvRow, WritesOnlyTheGradientsAskedFor) {
  ConvShape shape;
  shape.gate_in = shape.gate_out = true;
  shape.filters = 2;
  const reference::LongConv x = testing::make_problem(shape, variant().dtype);
  const std::vector<double> dy = testing::output_gradient(shape, variant().dtype);
  const auto check = [&](auto& call) {
    const auto all = call.backward(variant());
    std::decay_t<decltype(call.u)> dk(call.k.size());
    LongConvGradArgs grad;
    grad.inputs = call.args;
    grad.dy = call.dy.data();
    grad.dk = dk.data();
    variant().backward(grad, nullptr);
    EXPECT_EQ(std::vector<double>(dk.begin(), dk.end()), all.k);
    return 0;
  };
  with_call(variant(), x, dy, check);
}

std::vector<const LongConvVariant*> cpu_rows() {
  std::vector<const LongConvVariant*> rows;
  for (const LongConvVariant& variant : long_conv_variants()) {
    if (variant.device == Device::cpu) {
      rows.push_back(&variant);
    }
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(EveryVariant, LongConvRow, ::testing::ValuesIn(cpu_rows()),
                         [](const auto& param_info) {
                           return std::string(param_info.param->name);
                         });

TEST(LongConvTable, ChoosesDirectSumsForFewTapsOnly) {
  LongConvShape shape;
  shape.length = 1 << 20;
  shape.taps = 4;
  const LongConvVariant* row = find_long_conv(shape);
  ASSERT_NE(row, nullptr);
  EXPECT_STREQ(row->name, "cpu_direct_f32");
  shape.taps = shape.length;
  EXPECT_EQ(find_long_conv(shape), nullptr);
  shape.length = row->best_taps;
  EXPECT_EQ(find_long_conv(shape), row);
  shape.length = row->best_taps + 1;
  EXPECT_EQ(find_long_conv(shape), nullptr);
  shape.length = 4;
  shape.dtype = Dtype::bf16;
  EXPECT_EQ(find_long_conv(shape), nullptr);
}

TEST(LongConvTable, TakesOnlyWhatARowSaysItCanDo) {
  LongConvVariant row = long_conv_variants().front();
  LongConvShape shape{row.device, row.dtype, 100, 100, 2, ConvMode::circular};
  EXPECT_TRUE(takes(row, shape));
  row.only_one_filter = true;
  EXPECT_FALSE(takes(row, shape));
  shape.filters = 1;
  EXPECT_TRUE(takes(row, shape));
  row.max_length = 99;
  EXPECT_FALSE(takes(row, shape));
}

TEST(LongConvTable, NamesAreUnique) {
  std::vector<std::string> names;
  for (const LongConvVariant& variant : long_conv_variants()) {
    EXPECT_EQ(std::count(names.begin(), names.end(), variant.name), 0) << variant.name;
    names.emplace_back(variant.name);
  }
  EXPECT_FALSE(names.empty());
}

}  // namespace
}  // namespace longconv::kernels
