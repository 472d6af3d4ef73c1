// The plain-loop butterfly against the Fourier transform's definition, and golden G13.
#include "core/reference/butterfly.h"

#include "tests/support/butterfly_golden.h"

#include <numbers>

namespace longconv::reference {
namespace {

double largest(const std::vector<Complex>& x) {
  double out = 0.0;
  for (const Complex& value : x) out = std::max(out, std::abs(value));
  return out;
}

TEST(Butterfly, IsTheFourierTransformWithItsMatrices) {
  ButterflyMatrices matrices;
  for (const std::int64_t n : {2, 4, 8, 16}) matrices[n] = dft_matrix(n);
  for (std::size_t n = 2; n <= 512; n *= 2) {
    std::vector<Complex> x(n);
    for (std::size_t j = 0; j < n; ++j) {
      x[j] = {std::sin(1.0 + 0.7 * double(j)), std::cos(0.3 * double(j))};
    }
    const std::vector<Complex> got = butterfly(x, matrices);
    double error = 0.0;
    for (std::size_t f = 0; f < n; ++f) {
      Complex want;
      for (std::size_t j = 0; j < n; ++j) {
        want += x[j] * std::polar(1.0, -2.0 * std::numbers::pi * double(f * j % n) / double(n));
      }
      error = std::max(error, std::abs(got[f] - want));
    }
    EXPECT_LE(error, 1e-12 * largest(got)) << n;
  }
}

TEST(Butterfly, IsTheGolden) {
  for (const testing::ButterflyGolden& golden : testing::kG13) {
    const std::vector<double> x = testing::det(100, 6 * golden.length);
    std::vector<double> real;
    std::vector<double> imaginary;
    for (std::size_t row = 0; row < 6; ++row) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row * golden.length);
      for (const Complex& value :
           butterfly({begin, begin + static_cast<std::ptrdiff_t>(golden.length)},
                     testing::g13_matrices())) {
        real.push_back(value.real());
        imaginary.push_back(value.imag());
      }
    }
    EXPECT_TRUE(testing::matches(real, golden.real, 1e-10)) << golden.length;
    EXPECT_TRUE(testing::matches(imaginary, golden.imaginary, 1e-10)) << golden.length;
  }
}

}  // namespace
}  // namespace longconv::reference
