#include "core/reference/butterfly.h"

#include <cstddef>
#include <numbers>

namespace longconv::reference {
namespace {

Complex turn(std::size_t numerator, std::size_t denominator) {
  return std::polar(1.0, -2.0 * std::numbers::pi * static_cast<double>(numerator % denominator) /
                             static_cast<double>(denominator));
}

}  // namespace

std::vector<Complex> dft_matrix(std::int64_t n) {
  const auto order = static_cast<std::size_t>(n);
  std::vector<Complex> out;
  for (std::size_t a = 0; a < order; ++a) {
    for (std::size_t b = 0; b < order; ++b) out.push_back(turn(a * b, order));
  }
  return out;
}

std::vector<Complex> butterfly(const std::vector<Complex>& x, const ButterflyMatrices& matrices) {
  const std::size_t length = x.size();
  const std::size_t rows = length <= 16 ? length : 16;
  const std::size_t columns = length / rows;
  const std::vector<Complex>& m = matrices.at(static_cast<std::int64_t>(rows));
  std::vector<Complex> out(length);
  for (std::size_t p = 0; p < rows; ++p) {
    std::vector<Complex> row(columns);
    for (std::size_t q = 0; q < columns; ++q) {
      for (std::size_t j = 0; j < rows; ++j) row[q] += m[p * rows + j] * x[j * columns + q];
      row[q] *= turn(p * q, length);
    }
    if (columns > 1) row = butterfly(row, matrices);
    for (std::size_t r = 0; r < columns; ++r) out[r * rows + p] = row[r];
  }
  return out;
}

}  // namespace longconv::reference
