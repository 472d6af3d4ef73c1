// The reference itself, against sums done by hand and central differences.
#include "core/reference/long_conv.h"

#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <gmock/gmock.h>

namespace longconv::reference {
namespace {

using ::testing::ElementsAre;

/// u = (1, 10, 100), k = (2, 3, 5), k_reverse = (7, 11, 13).
LongConv by_hand(ConvMode mode) {
  LongConv x;
  x.length = x.taps = 3;
  x.mode = mode;
  x.u = {1, 10, 100};
  x.k = {2, 3, 5};
  if (mode == ConvMode::bidirectional || mode == ConvMode::conjugate) {
    x.reverse_taps = 3;
    x.k_reverse = {7, 11, 13};
  }
  return x;
}

TEST(ReferenceLongConv, CausalSumsWorkedByHand) {
  EXPECT_THAT(long_conv(by_hand(ConvMode::causal)), ElementsAre(2, 23, 235));
}

TEST(ReferenceLongConv, TheReverseFilterStartsAtLagMinusOneOrZero) {
  // t=0: 7*10 + 11*100; t=1: 7*100
  EXPECT_THAT(long_conv(by_hand(ConvMode::bidirectional)), ElementsAre(2 + 1170, 23 + 700, 235));
  // t=0: 7*1 + 11*10 + 13*100; t=1: 7*10 + 11*100; t=2: 7*100
  EXPECT_THAT(long_conv(by_hand(ConvMode::conjugate)), ElementsAre(2 + 1417, 23 + 1170, 235 + 700));
}

TEST(ReferenceLongConv, CircularWrapsAround) {
  // t=0: 2*1 + 3*100 + 5*10; t=1: 2*10 + 3*1 + 5*100; t=2: 2*100 + 3*10 + 5*1
  EXPECT_THAT(long_conv(by_hand(ConvMode::circular)), ElementsAre(352, 523, 235));
}

TEST(ReferenceLongConv, GatesSkipAndSeveralFilters) {
  LongConv x = by_hand(ConvMode::causal);
  x.filters = 2;
  x.k = {2, 3, 5, 1, 0, 0};
  x.skip = {0, 4};
  x.gate_in = {1, 2, 0};
  x.gate_out = {1, 1, -1};
  // v = (1, 20, 0)
  EXPECT_THAT(long_conv(x), ElementsAre(2, 43, -65, 5, 100, 0));
}

TEST(ReferenceLongConv, TapsBeyondTheSignalAreIgnored) {
  LongConv x = by_hand(ConvMode::causal);
  x.taps = 5;
  x.k = {2, 3, 5, 1e9, 1e9};
  EXPECT_THAT(long_conv(x), ElementsAre(2, 23, 235));
  const LongConvGradients d = long_conv_backward(x, {1, 1, 1});
  EXPECT_THAT(d.k, ElementsAre(111, 11, 1, 0, 0));
}

class ReferenceGradients : public ::testing::TestWithParam<ConvMode> {};

/// The operator is a polynomial of low degree, so a central difference is exact but for rounding.
TEST_P(ReferenceGradients, AgreeWithCentralDifferences) {
  LongConv x;
  x.batch = x.filters = x.channels = 2;
  x.length = 5;
  x.taps = 4;
  x.mode = GetParam();
  using testing::random_values;
  x.u = random_values(20, 1, Dtype::f64);
  x.k = random_values(16, 2, Dtype::f64);
  if (x.mode == ConvMode::bidirectional || x.mode == ConvMode::conjugate) {
    x.reverse_taps = 3;
    x.k_reverse = random_values(12, 3, Dtype::f64);
  }
  x.skip = random_values(4, 4, Dtype::f64);
  x.gate_in = random_values(20, 5, Dtype::f64);
  x.gate_out = random_values(20, 6, Dtype::f64);
  const std::vector<double> dy = random_values(40, 7, Dtype::f64);
  const LongConvGradients d = long_conv_backward(x, dy);

  const auto loss = [&] {
    const std::vector<double> y = long_conv(x);
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      sum += y[i] * dy[i];
    }
    return sum;
  };
  const std::pair<std::vector<double>*, const std::vector<double>*> pairs[] = {
      {&x.u, &d.u},
      {&x.k, &d.k},
      {&x.skip, &d.skip},
      {&x.k_reverse, &d.k_reverse},
      {&x.gate_in, &d.gate_in},
      {&x.gate_out, &d.gate_out}};
  for (const auto& [values, gradient] : pairs) {
    ASSERT_EQ(values->size(), gradient->size());
    const double scale = testing::max_norm(*gradient);
    EXPECT_TRUE(values->empty() || scale > 0.1);
    for (std::size_t i = 0; i < values->size(); ++i) {
      const double before = (*values)[i];
      constexpr double kStep = 1e-3;
      (*values)[i] = before + kStep;
      const double up = loss();
      (*values)[i] = before - kStep;
      const double down = loss();
      (*values)[i] = before;
      EXPECT_LE(std::abs((up - down) / (2 * kStep) - (*gradient)[i]), 1e-10 * scale);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryMode, ReferenceGradients,
                         ::testing::Values(ConvMode::causal, ConvMode::bidirectional,
                                           ConvMode::conjugate, ConvMode::circular));

}  // namespace
}  // namespace longconv::reference
