#include "core/reference/implicit_filter.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace longconv::reference {
namespace {

std::vector<double> affine(const std::vector<double>& w, const std::vector<double>& x) {
  std::vector<double> y(w.size() / x.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      y[i] += w[i * x.size() + j] * x[j];
    }
  }
  return y;
}

double linspace(double first, double last, std::int64_t count, std::int64_t i) {
  return count == 1
             ? first
             : first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
}

}  // namespace

std::vector<double> positional_features(std::int64_t l_max, std::int64_t emb_dim) {
  const std::int64_t bands = (emb_dim - 1) / 2;
  std::vector<double> z;
  for (std::int64_t t = 0; t < l_max; ++t) {
    const double omega =
        2.0 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(l_max);
    z.push_back(static_cast<double>(t) / static_cast<double>(l_max - 1));
    for (std::int64_t b = 0; b < bands; ++b) {
      z.push_back(std::cos(linspace(1e-4, static_cast<double>(bands - 1), bands, b) * omega));
    }
    for (std::int64_t b = 0; b < bands; ++b) {
      z.push_back(-std::sin(linspace(1e-4, static_cast<double>(bands - 1), bands, b) * omega));
    }
  }
  return z;
}

std::vector<double> modulation_deltas(std::int64_t channels, double fast_decay_pct,
                                      double slow_decay_pct, double target) {
  std::vector<double> deltas;
  for (std::int64_t c = 0; c < channels; ++c) {
    deltas.push_back(linspace(std::log(target) / slow_decay_pct, std::log(target) / fast_decay_pct,
                              channels, c));
  }
  return deltas;
}

std::vector<double> implicit_filter(const ImplicitFilter& f, std::int64_t length) {
  const std::vector<double> z = positional_features(f.l_max, f.emb_dim);
  std::vector<double> h;
  for (std::int64_t t = 0; t < length; ++t) {
    const auto row = z.begin() + t * f.emb_dim;
    std::vector<double> x(row, row + f.emb_dim);
    for (std::size_t layer = 0; layer < f.biases.size(); ++layer) {
      x = affine(f.weights[layer], x);
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = std::sin(f.freq[i] * (x[i] + f.biases[layer][i]));
      }
    }
    x = affine(f.weights.back(), x);
    const double tau = static_cast<double>(t) / static_cast<double>(f.l_max - 1);
    double norm = 0.0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      if (!f.deltas.empty()) {
        x[c] *= std::exp(-tau * std::abs(f.deltas[c])) + f.shift;
      }
      norm += std::abs(x[c]);
    }
    for (const double value : x) {
      h.push_back(f.normalized ? value / norm : value);
    }
  }
  return h;
}

}  // namespace longconv::reference
