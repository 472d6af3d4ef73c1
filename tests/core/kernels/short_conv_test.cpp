// Every CPU row of the short convolution's table against the float64 reference, in both layouts.
#include "core/kernels/short_conv.h"

#include "core/reference/short_conv.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ostream>

namespace longconv::kernels {
namespace {

using testing::max_error;
using testing::max_norm;
using testing::random_values;

struct Case {
  const ShortConvVariant* variant;
  std::int64_t batch, channels, length, taps;
  bool bias, channels_last;
};

std::string describe(const Case& c) {
  return fmt::format("{}_B{}_C{}_L{}_K{}{}{}", c.variant->name, c.batch, c.channels, c.length,
                     c.taps, c.bias ? "_bias" : "", c.channels_last ? "_last" : "_first");
}

void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

/// [B, C, L] as [B, L, C], or back with the sizes exchanged.
template <class T>
std::vector<T> transposed(const std::vector<T>& x, std::int64_t batch, std::int64_t rows,
                          std::int64_t columns) {
  std::vector<T> y(x.size());
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        y[static_cast<std::size_t>((b * columns + c) * rows + r)] =
            x[static_cast<std::size_t>((b * rows + r) * columns + c)];
      }
    }
  }
  return y;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

template <class T>
void check_case(const Case& c) {
  const Dtype dtype = c.variant->dtype;
  reference::ShortConv x;
  x.batch = c.batch;
  x.channels = c.channels;
  x.length = c.length;
  x.taps = c.taps;
  const auto size = static_cast<std::size_t>(c.batch * c.channels * c.length);
  x.u = random_values(size, 1, dtype);
  x.w = random_values(static_cast<std::size_t>(c.channels * c.taps), 2, dtype);
  if (c.bias) {
    x.bias = random_values(static_cast<std::size_t>(c.channels), 3, dtype);
  }
  const std::vector<double> dy = random_values(size, 4, dtype);

  std::vector<T> u(x.u.begin(), x.u.end());
  if (c.channels_last) {
    u = transposed(u, c.batch, c.channels, c.length);
  }
  const std::vector<T> w(x.w.begin(), x.w.end());
  const std::vector<T> bias(x.bias.begin(), x.bias.end());
  std::vector<T> y(size, T(-99));
  ShortConvArgs args;
  args.u = u.data();
  args.w = w.data();
  args.bias = c.bias ? bias.data() : nullptr;
  args.y = y.data();
  args.u_batch_stride = c.channels * c.length;
  args.u_channel_stride = c.channels_last ? 1 : c.length;
  args.u_time_stride = c.channels_last ? c.channels : 1;
  args.batch = c.batch;
  args.channels = c.channels;
  args.length = c.length;
  args.taps = c.taps;
  args.dtype = dtype;
  c.variant->forward(args, nullptr);

  const double bound = testing::sum_bound(dtype, static_cast<double>(c.taps)) * 9.0;
  const std::vector<double> want = reference::short_conv(x);
  EXPECT_LE(max_error(doubles(y), want), bound);
  EXPECT_GT(max_norm(want), 2.0 * bound) << "zeros would pass";

  const std::vector<T> g(dy.begin(), dy.end());
  std::vector<T> du(size, T(-99)), dw(w.size(), T(-99)),
      dbias(static_cast<std::size_t>(c.channels), T(-99));
  ShortConvGradArgs grad;
  grad.inputs = args;
  grad.dy = g.data();
  grad.du = du.data();
  grad.dw = dw.data();
  grad.dbias = dbias.data();
  ASSERT_EQ(c.variant->backward_workspace_bytes(args), 0);
  c.variant->backward(grad, nullptr);
  if (c.channels_last) {
    du = transposed(du, c.batch, c.length, c.channels);
  }
  x.bias.resize(static_cast<std::size_t>(c.channels));
  const reference::ShortConvGradients d = reference::short_conv_backward(x, dy);
  EXPECT_LE(max_error(doubles(du), d.u), bound);
  const double terms = static_cast<double>(c.batch * c.length);
  const double sums = testing::sum_bound(dtype, terms) * terms;
  EXPECT_LE(max_error(doubles(dw), d.w), sums);
  EXPECT_LE(max_error(doubles(dbias), d.bias), sums);
  EXPECT_GT(max_norm(d.w), 2.0 * sums) << "zeros would pass";
}

class ShortConv : public ::testing::TestWithParam<Case> {};

TEST_P(ShortConv, MatchesTheFloat64Reference) {
  GetParam().variant->dtype == Dtype::f64 ? check_case<double>(GetParam())
                                          : check_case<float>(GetParam());
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const ShortConvVariant& variant : short_conv_variants()) {
    if (variant.device != Device::cpu) {
      continue;
    }
    for (const bool last : {false, true}) {
      for (std::int64_t taps = 1; taps <= kMaxShortTaps; ++taps) {
        cases.push_back({&variant, 2, 5, 11, taps, taps % 2 == 0, last});
      }
      for (const std::int64_t length : {1, 2, 7, 127, 128, 129, 1000}) {
        cases.push_back({&variant, 2, 3, length, 3, true, last});
      }
      for (const std::int64_t channels : {1, 15, 16, 17, 33}) {
        cases.push_back({&variant, 3, channels, 20, 4, true, last});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryVariant, ShortConv, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

}  // namespace
}  // namespace longconv::kernels
