// Golden values: a deterministic fill for parameters and inputs, and four figures of a result.
//
//   det(tid, shape)[j] = sin(1 + tid + 0.37 j),   j the row-major index, float64
//
// A golden lists the first three values (row-major), the last, the sum and the sum of squares, as
// printed: the number of digits says how far each may be off by rounding alone. No LibTorch here.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::testing {

inline std::vector<double> det(int tid, std::size_t count) {
  std::vector<double> x(count);
  for (std::size_t j = 0; j < count; ++j) {
    x[j] = std::sin(1.0 + tid + 0.37 * static_cast<double>(j));
  }
  return x;
}

/// A printed number, and half a unit of its last digit. "" is none: 0, exactly.
struct Figure {
  Figure() = default;
  Figure(const char* printed)  // NOLINT: a figure is written as its digits
      : value(std::strtod(printed, nullptr)), rounding(half_unit(printed)) {}

  double value = 0.0;
  double rounding = 0.0;

 private:
  static double half_unit(std::string_view printed) {
    if (printed.empty()) {
      return 0.0;
    }
    const std::size_t e = printed.find_first_of("eE");
    const std::string_view digits = printed.substr(0, e);
    const std::size_t dot = digits.find('.');
    double power =
        dot == std::string_view::npos ? 0.0 : -static_cast<double>(digits.size() - dot - 1);
    if (e != std::string_view::npos) {
      power += std::strtod(std::string(printed.substr(e + 1)).c_str(), nullptr);
    }
    return 0.5 * std::pow(10.0, power);
  }
};

/// A sum that is zero but for rounding: compared with the sum of absolute values.
inline constexpr const char* kAboutZero = "";

struct Golden {
  std::array<Figure, 3> first;
  Figure last;
  Figure sum;
  Figure sum_of_squares;
};

/// What goldens list of a gradient.
struct Moments {
  Figure sum;
  Figure sum_of_squares;
};

namespace detail {
struct Sums {
  explicit Sums(std::span<const double> x) {
    for (const double value : x) {
      sum += value;
      absolute += std::abs(value);
      squares += value * value;
    }
  }
  double sum = 0.0;
  double absolute = 0.0;
  double squares = 0.0;
};

inline ::testing::AssertionResult near(const char* what, double got, const Figure& want,
                                       double allowed) {
  if (std::abs(got - want.value) <= allowed + want.rounding) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << what << " is " << got << ", expected " << want.value << " within "
         << allowed + want.rounding << " (off by " << std::abs(got - want.value) << ")";
}
}  // namespace detail

/// By how much a number is further from a figure than its digits allow, relative to `scale`.
inline double gap(double got, const Figure& want, double scale) {
  return std::max(0.0, std::abs(got - want.value) - want.rounding) / std::max(scale, 1e-300);
}

/// The largest gap of what matches() compares, relative to what it compares it with: matches()
/// holds where this is at most the tolerance.
inline double gap(std::span<const double> x, const Moments& want) {
  const detail::Sums of(x);
  return std::max(gap(of.sum, want.sum, of.absolute),
                  gap(of.squares, want.sum_of_squares, 2.0 * want.sum_of_squares.value));
}
inline double gap(std::span<const double> x, const Golden& want) {
  double largest = 0.0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  double out =
      std::max(gap(x.back(), want.last, largest), gap(x, Moments{want.sum, want.sum_of_squares}));
  for (std::size_t i = 0; i < want.first.size(); ++i) {
    out = std::max(out, gap(x[i], want.first[i], largest));
  }
  return out;
}

/// The sum is compared relative to the sum of |x|, the sum of squares to itself at twice the
/// tolerance.
inline ::testing::AssertionResult matches(std::span<const double> x, const Moments& want,
                                          double tolerance) {
  const detail::Sums of(x);
  const auto result = detail::near("the sum", of.sum, want.sum, tolerance * of.absolute);
  return result ? detail::near("the sum of squares", of.squares, want.sum_of_squares,
                               2.0 * tolerance * want.sum_of_squares.value)
                : result;
}

/// Values are compared relative to max |x|.
inline ::testing::AssertionResult matches(std::span<const double> x, const Golden& want,
                                          double tolerance) {
  if (x.size() < want.first.size()) {
    return ::testing::AssertionFailure() << "only " << x.size() << " values";
  }
  double largest = 0.0;
  for (const double value : x) {
    largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < want.first.size(); ++i) {
    const auto first = detail::near("a first value", x[i], want.first[i], tolerance * largest);
    if (!first) {
      return first;
    }
  }
  const auto last = detail::near("the last value", x.back(), want.last, tolerance * largest);
  return last ? matches(x, Moments{want.sum, want.sum_of_squares}, tolerance) : last;
}

}  // namespace longconv::testing
