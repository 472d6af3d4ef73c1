#include "core/reference/tap_regulariser.h"

#include <cmath>
#include <cstddef>

namespace longconv::reference {
namespace {

/// The mean of x's window around each tap of its row.
std::vector<double> smooth(const TapRegulariser& r, const std::vector<double>& x) {
  std::vector<double> mean(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::int64_t t = static_cast<std::int64_t>(i) % r.taps;
    for (std::int64_t j = -(r.window / 2); j <= r.window / 2; ++j) {
      if (t + j < 0 || t + j >= r.taps) continue;
      mean[i] += x[static_cast<std::size_t>(static_cast<std::int64_t>(i) + j)];
    }
    mean[i] /= static_cast<double>(r.window);
  }
  return mean;
}

}  // namespace

std::vector<double> regularise_taps(const TapRegulariser& r, const std::vector<double>& k) {
  std::vector<double> y = smooth(r, k);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double rest = std::abs(y[i]) - r.squash;
    y[i] = rest > 0.0 ? std::copysign(rest, y[i]) * r.mask[i] : 0.0;
  }
  return y;
}

std::vector<double> regularise_taps_backward(const TapRegulariser& r, const std::vector<double>& k,
                                             const std::vector<double>& dy) {
  std::vector<double> dm = smooth(r, k);
  for (std::size_t i = 0; i < dm.size(); ++i) {
    dm[i] = std::abs(dm[i]) > r.squash ? dy[i] * r.mask[i] : 0.0;
  }
  // Tap t is in the windows of the taps around it: the transpose of a mean is a mean.
  return smooth(r, dm);
}

}  // namespace longconv::reference
