// The ring plan executed in float64 by plain loops, stage by stage and place by place as the
// kernels do it, against the direct sums of core/reference; and its phases, exactly, in integers.
#include "core/plan/long_plan.h"
#include "core/reference/long_conv.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <gtest/gtest.h>

#include <complex>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace longconv::plan {
namespace {

using Complex = std::complex<double>;
using Values = std::vector<Complex>;

constexpr int kOuters[] = {1, 2, 4, 8, 16, 32};

Complex root(Phase phase) {
  return std::polar(1.0, 2.0 * M_PI * phase.numerator / phase.denominator);
}

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// A phase as a numerator over 2^20, which every phase of the plan divides.
std::int64_t turns(Phase phase) {
  return std::int64_t{phase.numerator} * ((1 << 20) / phase.denominator);
}

// ---- the stages
// ------------------------------------------------------------------------------------

int as_it_is(int place) { return place; }

/// The two inner stages of one ring, from point n2 to [k2][k3], each as its kernel's two halves;
/// n22 and k2 in the order of a kernel's places.
Values inner_forward(const Values& ring, int (*order)(int) = as_it_is) {
  Values middle(kRing);  // [k2][n22]
  for (int n22 = 0; n22 < kSide; ++n22) {
    for (int b = 0; b < 16; ++b) {
      Complex half[2];
      for (int c = 0; c < 2; ++c) {
        for (int alpha = 0; alpha < 16; ++alpha) {
          half[c] +=
              root(inner_phase(order(b), alpha, c)) * ring[at(kSide * (2 * alpha + c) + n22)];
        }
      }
      middle[at(kSide * order(b) + n22)] = half[0] + half[1];
      middle[at(kSide * order(b + 16) + n22)] = half[0] - half[1];
    }
  }
  Values spectrum(kRing);
  for (int k2 = 0; k2 < kSide; ++k2) {
    Values row(kSide);
    for (int n22 = 0; n22 < kSide; ++n22) {
      row[at(n22)] = middle[at(kSide * k2 + n22)] * root(middle_twiddle(n22, k2));
    }
    for (int eps = 0; eps < 2; ++eps) {
      for (int e = 0; e < 16; ++e) {
        Complex sum;
        for (int gamma = 0; gamma < 16; ++gamma) {
          const Complex butterfly =
              row[at(order(gamma))] + (eps == 0 ? 1.0 : -1.0) * row[at(order(gamma + 16))];
          sum += root(inner_phase(order(gamma), e, eps)) * butterfly;
        }
        spectrum[at(kSide * k2 + 2 * e + eps)] = sum;
      }
    }
  }
  return spectrum;
}

/// [k1][k2][k3] of the M points of `x`.
Values forward(const Values& x, int outer) {
  Values spectrum;
  for (int k1 = 0; k1 < outer; ++k1) {
    Values ring(kRing);
    for (int n2 = 0; n2 < kRing; ++n2) {
      for (int n1 = 0; n1 < outer; ++n1) {
        ring[at(n2)] += x[at(kRing * n1 + n2)] * root(outer_phase(outer, n1, k1));
      }
      ring[at(n2)] *= root(ring_twiddle(outer, k1, n2));
    }
    const Values inner = inner_forward(ring);
    spectrum.insert(spectrum.end(), inner.begin(), inner.end());
  }
  return spectrum;
}

/// The way back by the definition: x[n] = 1/M sum_q X[q] e^{-2 pi i n (q + 1/4) / M}.
Complex inverse_at(const Values& spectrum, int outer, int n) {
  const int points = outer * kRing;
  Complex sum;
  for (int k1 = 0; k1 < outer; ++k1) {
    for (int k2 = 0; k2 < kSide; ++k2) {
      for (int k3 = 0; k3 < kSide; ++k3) {
        const int q = k1 + outer * (k2 + kSide * k3);
        const double turn = static_cast<double>(std::int64_t{n} * (4 * q + 1) % (4 * points));
        sum += spectrum[at(k1 * kRing + k2 * kSide + k3)] *
               std::polar(1.0, -2.0 * M_PI * turn / (4.0 * points));
      }
    }
  }
  return sum / static_cast<double>(points);
}

/// A filter as the kernels lay it out: tap s at s, the weight of lag -m as -i r[m] at M - m.
Values filter_row(const reference::LongConv& x, int points) {
  Values row(at(points));
  for (std::int64_t j = 0; j < std::min(x.taps, x.length); ++j) {
    row[static_cast<std::size_t>(j)] += x.k[static_cast<std::size_t>(j)];
  }
  for (std::int64_t j = 0; j < x.reverse_taps && j + 1 < x.length; ++j) {
    row[static_cast<std::size_t>(points - j - 1)] -=
        Complex(0.0, x.k_reverse[static_cast<std::size_t>(j)]);
  }
  return row;
}

class RingPlan : public ::testing::TestWithParam<int> {};

TEST_P(RingPlan, ExecutedInFloat64IsTheTwoSidedConvolution) {
  const int outer = GetParam();
  const int points = outer * kRing;
  reference::LongConv x;
  x.batch = x.filters = x.channels = 1;
  x.length = points - 5;  // not a power of two
  x.taps = x.length;
  x.reverse_taps = x.length / 2;
  x.mode = reference::ConvMode::bidirectional;
  x.u = testing::random_values(static_cast<std::size_t>(x.length), 1, Dtype::f64);
  x.k = testing::random_values(static_cast<std::size_t>(x.taps), 2, Dtype::f64);
  x.k_reverse = testing::random_values(static_cast<std::size_t>(x.reverse_taps), 3, Dtype::f64);
  const std::vector<double> want = reference::long_conv(x);

  Values signal(at(points));
  std::copy(x.u.begin(), x.u.end(), signal.begin());
  Values product = forward(signal, outer);
  const Values filter = forward(filter_row(x, points), outer);
  for (std::size_t i = 0; i < product.size(); ++i) {
    product[i] *= filter[i];
  }
  const double bound = 1e-12 * testing::max_norm(want);
  for (const int n : {0, 1, 2, 31, 32, 500, points / 2, points - 6}) {
    EXPECT_NEAR(inverse_at(product, outer, n).real(), want[at(n)], bound) << n;
  }
  EXPECT_GT(testing::max_norm(want), 1.0);
}

INSTANTIATE_TEST_SUITE_P(UpToFourRings, RingPlan, ::testing::Values(1, 2, 4));

// ---- phases, exactly
// -------------------------------------------------------------------------------

class RingPhases : public ::testing::TestWithParam<int> {};

TEST_P(RingPhases, AddUpToTheTransforms) {
  const int outer = GetParam();
  const std::int64_t points = std::int64_t{outer} * kRing;
  std::mt19937 random(7);
  for (int trial = 0; trial < 20000; ++trial) {
    const int n1 = static_cast<int>(random() % at(outer)),
              k1 = static_cast<int>(random() % at(outer));
    const int n21 = static_cast<int>(random() % 32), n22 = static_cast<int>(random() % 32);
    const int k2 = static_cast<int>(random() % 32), k3 = static_cast<int>(random() % 32);
    const std::int64_t n = std::int64_t{n1} * kRing + n21 * kSide + n22;
    const std::int64_t q = k1 + outer * (k2 + std::int64_t{kSide} * k3);
    const std::int64_t whole = n * (4 * q + 1) % (4 * points) * ((1 << 20) / (4 * points));

    // b (2 alpha + c) / 32 and the butterfly's (-1)^(c beta) are n21 k2 / 32; so for n22 k3.
    const auto half_turn = [](int odd) { return std::int64_t{odd & 1} << 19; };
    const std::int64_t first =
        turns(inner_phase(k2 % 16, n21 / 2, n21 % 2)) + half_turn(n21 * (k2 / 16));
    const std::int64_t second =
        turns(inner_phase(n22 % 16, k3 / 2, k3 % 2)) + half_turn(n22 / 16 * k3);
    const std::int64_t plain = turns(outer_phase(outer, n1, k1)) +
                               turns(ring_twiddle(outer, k1, n21 * kSide + n22)) + first +
                               turns(middle_twiddle(n22, k2)) + second;
    ASSERT_EQ(plain % (1 << 20), whole) << n << " " << q;

    // The same with the ring's twiddle inside the first stage and the middle twiddle.
    const std::int64_t folded =
        turns(outer_phase(outer, n1, k1)) + turns(ring_inner_phase(outer, k1, k2 % 16, n21)) +
        half_turn(n21 * (k2 / 16)) + turns(ring_middle_twiddle(outer, k1, n22, k2)) + second;
    ASSERT_EQ(folded % (1 << 20), whole) << n << " " << q;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOuter, RingPhases, ::testing::ValuesIn(kOuters));

// ---- the long plan: an outer stage in two halves
// -------------------------------------------------

/// [k1] of one column of R values, half by half as the kernel does it.
Values long_outer_stage(const Values& column, int outer, int p) {
  const int q = outer / p;
  Values rings(at(outer));
  for (int c = 0; c < p; ++c) {
    Values half(at(q));  // [b]
    for (int b = 0; b < q; ++b) {
      for (int a = 0; a < p; ++a) {
        half[at(b)] += column[at(q * a + b)] * root(long_first_phase(p, a, c));
      }
      half[at(b)] *= root(long_twiddle(outer, b, c));
    }
    for (int d = 0; d < q; ++d) {
      for (int b = 0; b < q; ++b) {
        rings[at(c + p * d)] += half[at(b)] * root(long_second_phase(q, b, d));
      }
    }
  }
  return rings;
}

class LongPlan : public ::testing::TestWithParam<std::tuple<int, int>> {};  // R, P

TEST_P(LongPlan, ItsOuterStageIsTheRings) {
  const auto [outer, p] = GetParam();
  const std::vector<double> values = testing::random_values(at(outer), 5, Dtype::f64);
  const Values column(values.begin(), values.end());
  const Values got = long_outer_stage(column, outer, p);
  for (int k1 = 0; k1 < outer; ++k1) {
    Complex want;
    for (int n1 = 0; n1 < outer; ++n1) want += column[at(n1)] * root(outer_phase(outer, n1, k1));
    ASSERT_LT(std::abs(got[at(k1)] - want), 1e-12 * outer) << k1;
  }
}

/// The whole of a long row as the kernels take it: the outer stage in two halves, the rings in the
/// passes' order. [k1][k2][k3].
Values long_forward(const Values& x, int outer, int p) {
  std::vector<Values> rings(at(outer), Values(kRing));
  for (int n2 = 0; n2 < kRing; ++n2) {
    Values column(at(outer));
    for (int n1 = 0; n1 < outer; ++n1) column[at(n1)] = x[at(kRing * n1 + n2)];
    const Values values = long_outer_stage(column, outer, p);
    for (int k1 = 0; k1 < outer; ++k1) {
      rings[at(k1)][at(n2)] = values[at(k1)] * root(ring_twiddle(outer, k1, n2));
    }
  }
  Values spectrum;
  for (const Values& ring : rings) {
    const Values inner = inner_forward(ring, pass_order);
    spectrum.insert(spectrum.end(), inner.begin(), inner.end());
  }
  return spectrum;
}

TEST(LongPlanWhole, ExecutedInFloat64IsTheTwoSidedConvolution) {
  constexpr int kOuter = 64;
  const int points = kOuter * kRing;
  reference::LongConv x;
  x.length = points - 5;  // not a power of two
  x.taps = x.length;
  x.reverse_taps = x.length / 2;
  x.u = testing::random_values(static_cast<std::size_t>(x.length), 1, Dtype::f64);
  x.k = testing::random_values(static_cast<std::size_t>(x.taps), 2, Dtype::f64);
  x.k_reverse = testing::random_values(static_cast<std::size_t>(x.reverse_taps), 3, Dtype::f64);

  Values signal(at(points));
  std::copy(x.u.begin(), x.u.end(), signal.begin());
  Values product = long_forward(signal, kOuter, 32);
  const Values filter = long_forward(filter_row(x, points), kOuter, 32);
  for (std::size_t i = 0; i < product.size(); ++i) product[i] *= filter[i];

  const auto length = static_cast<int>(x.length);
  for (const int n : {0, 1, 33, 1024, points / 2, points - 6}) {
    double want = 0.0;
    for (int s = 0; s <= n; ++s) want += x.k[at(s)] * x.u[at(n - s)];
    for (int j = 0; j < length / 2 && n + 1 + j < length; ++j) {
      want += x.k_reverse[at(j)] * x.u[at(n + 1 + j)];
    }
    EXPECT_NEAR(inverse_at(product, kOuter, n).real(), want, 1e-12 * points) << n;
    EXPECT_GT(std::abs(want), 1.0) << n << ": zeros would pass";
  }
}

TEST_P(LongPlan, ItsPhasesAddUpToTheTransforms) {
  const auto [outer, p] = GetParam();
  const int q = outer / p;
  constexpr std::int64_t kTurn = 1 << 22;  // every phase of the plan divides it
  const auto turns = [](Phase phase) { return phase.numerator * (kTurn / phase.denominator); };
  const std::int64_t points = std::int64_t{outer} * kRing;
  std::mt19937 random(11);
  for (int trial = 0; trial < 20000; ++trial) {
    const int a = static_cast<int>(random() % at(p)), b = static_cast<int>(random() % at(q));
    const int c = static_cast<int>(random() % at(p)), d = static_cast<int>(random() % at(q));
    const int n2 = static_cast<int>(random() % kRing), k2 = static_cast<int>(random() % kRing);
    const std::int64_t n = std::int64_t{kRing} * (q * a + b) + n2;
    const int k1 = c + p * d;
    const std::int64_t whole = n * (4 * (k1 + std::int64_t{outer} * k2) + 1) % (4 * points);
    const std::int64_t sum = turns(long_first_phase(p, a, c)) + turns(long_twiddle(outer, b, c)) +
                             turns(long_second_phase(q, b, d)) +
                             turns(ring_twiddle(outer, k1, n2)) + n2 * k2 % kRing * (kTurn / kRing);
    ASSERT_EQ(sum % kTurn, whole * (kTurn / (4 * points))) << n << " " << k1;
  }
}

using Split = std::tuple<int, int>;
INSTANTIATE_TEST_SUITE_P(EveryOuter, LongPlan,
                         ::testing::Values(Split{64, 32}, Split{128, 32}, Split{256, 32},
                                           Split{512, 32}, Split{512, 64}, Split{1024, 32},
                                           Split{1024, 64}, Split{1024, 128}));

/// The passes' order of n22 and k2: every one once, sixteen on where ring_plan.h's is, so that the
/// butterflies of d and beta stay, and four values of a lane's n22 are two pairs of neighbours.
TEST(PassOrder, KeepsTheButterfliesAndPairsNeighbours) {
  std::set<int> seen;
  for (int place = 0; place < kSide; ++place) seen.insert(pass_order(place));
  EXPECT_EQ(seen.size(), at(kSide));
  EXPECT_EQ(*seen.rbegin(), kSide - 1);
  for (int place = 0; place < 16; ++place) {
    EXPECT_EQ(pass_order(place + 16), pass_order(place) + 16) << place;
  }
  for (int g = 0; g < 8; ++g) {
    for (const int d : {0, 16}) {
      EXPECT_EQ(pass_order(d + g) % 2, 0);
      EXPECT_EQ(pass_order(d + 8 + g), pass_order(d + g) + 1);
    }
  }
}

TEST(LongPlanSize, IsTheSmallestThatHoldsTheLength) {
  EXPECT_EQ(long_outer_for(1), 64);
  EXPECT_EQ(long_outer_for(65536), 64);
  EXPECT_EQ(long_outer_for(65537), 128);
  EXPECT_EQ(long_outer_for(1 << 20), 1024);
  EXPECT_EQ(long_outer_for((1 << 20) + 1), 0);
}

TEST(RingPlaces, HoldEveryPointOfARingOnce) {
  std::set<int> seen;
  for (int row = 0; row < 16; ++row) {
    for (int chunk = 0; chunk < 8; ++chunk) {
      for (int word = 0; word < 4; ++word) {
        for (int p = 0; p < 2; ++p) {
          const int n21 = row_n21(row) + p * kPairStep;
          const int n22 = word_n22(chunk, word);
          ASSERT_TRUE(0 <= n21 && n21 < kSide && 0 <= n22 && n22 < kSide);
          seen.insert(n21 * kSide + n22);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), at(kRing));
}

TEST(RingPlaces, HoldEveryFrequencyOnce) {
  std::set<int> seen;
  for (int lane = 0; lane < 32; ++lane) {
    for (int vector = 0; vector < 8; ++vector) {
      for (int rh = 0; rh < 2; ++rh) {
        for (int p = 0; p < 2; ++p) {
          const SpectrumPlace place = spectrum_place(lane, vector, rh, p);
          seen.insert(place.k2 * kSide + place.k3);
          EXPECT_EQ(gradient_place(place.k2, place.k3), (4 * vector + 2 * rh + p) * 32 + lane);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), at(kRing));
}

TEST(RingPlan, TakesTheSmallestPlanThatHoldsTheLength) {
  EXPECT_EQ(outer_for(1), 1);
  EXPECT_EQ(outer_for(1024), 1);
  EXPECT_EQ(outer_for(1025), 2);
  EXPECT_EQ(outer_for(32768), 32);
  EXPECT_EQ(outer_for(32769), 0);
}

}  // namespace
}  // namespace longconv::plan
