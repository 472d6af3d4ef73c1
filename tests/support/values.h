// Deterministic values, rounded to a dtype before anyone computes with them, so that the float64
// reference and the code under test start from the same numbers. No LibTorch here.
#pragma once

#include "core/base/dtype.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace longconv::testing {

/// x rounded to nearest even in `dtype` (a floating one), as a double. Normal range only.
inline double rounded(double x, Dtype dtype) {
  if (dtype == Dtype::f64 || x == 0.0) {
    return x;
  }
  if (dtype == Dtype::f32) {
    return static_cast<double>(static_cast<float>(x));
  }
  const int bits = dtype == Dtype::bf16 ? 8 : 11;
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, bits)), exponent - bits);
}

/// Uniform in (-1, 1) from a 64-bit hash of seed and index: the same on every machine.
inline std::vector<double> random_values(std::size_t count, std::uint64_t seed, Dtype dtype) {
  std::vector<double> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t z = seed * 0x9E3779B97F4A7C15ULL + i + 1;  // splitmix64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    x[i] = rounded(static_cast<double>(z >> 11) * 0x1p-52 - 1.0, dtype);
  }
  return x;
}

/// |x|, element by element: what error bounds of sums are relative to.
inline std::vector<double> absolute(std::vector<double> x) {
  for (double& value : x) {
    value = std::abs(value);
  }
  return x;
}

}  // namespace longconv::testing
