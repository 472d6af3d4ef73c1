// How far a result may be from the float64 reference: arithmetic, not taste. No LibTorch here.
//
// A sum of n products in a format with unit roundoff e is off by at most about n e times the sum of
// the products' absolute values; storing the result adds e_out times the result itself.
#pragma once

#include "core/base/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace longconv::testing {

/// max |x|
inline double max_norm(std::span<const double> x) {
  double norm = 0.0;
  for (const double value : x) {
    norm = std::max(norm, std::abs(value));
  }
  return norm;
}

/// max |x - y|; infinity if the sizes differ or a value is not a number.
inline double max_error(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) {
    return std::numeric_limits<double>::infinity();
  }
  double error = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = std::abs(x[i] - y[i]);
    if (!(difference <= std::numeric_limits<double>::max())) {
      return std::numeric_limits<double>::infinity();
    }
    error = std::max(error, difference);
  }
  return error;
}

/// |x - y|_2 / |y|_2
inline double relative_l2(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) {
    return std::numeric_limits<double>::infinity();
  }
  double error = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return std::sqrt(error / norm);
}

/// The largest relative error of rounding to nearest.
inline double unit_roundoff(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
      return 0x1p-53;
    case Dtype::f32:
      return 0x1p-24;
    case Dtype::f16:
      return 0x1p-11;
    case Dtype::bf16:
      return 0x1p-8;  // 8 significant bits, the hidden one included: half of 2^-7
    default:
      return 0.0;
  }
}

/// What sums run in: float64 for float64, else float32.
inline Dtype wide(Dtype dtype) { return dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32; }

/// The bound above, relative to the sum of absolute values: for `terms` products summed in wide
/// precision. Four roundings a term: the product, the addition, a gate, a skip.
inline double sum_bound(Dtype dtype, double terms) {
  return (terms + 4.0) * unit_roundoff(wide(dtype));
}

/// The same for a sum by transforms of size n, whose noise grows with log n but is spread over all
/// outputs alike (three transforms, a small factor each).
inline double transform_bound(Dtype dtype, double n) {
  return 8.0 * (std::log2(std::max(n, 2.0)) + 1.0) * unit_roundoff(wide(dtype));
}

}  // namespace longconv::testing
