// LongConv's smoothing, squash and dropout of a filter in float64 by plain loops (arXiv:2302.06646,
// section 3.2).
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

/// k [rows, taps] row-major -> the same shape. `mask` has a factor for each tap.
struct TapRegulariser {
  std::int64_t taps = 1;
  std::int64_t window = 1;  ///< odd
  double squash = 0.0;
  std::vector<double> mask;
};

std::vector<double> regularise_taps(const TapRegulariser& r, const std::vector<double>& k);

/// The gradient of k for that of the result.
std::vector<double> regularise_taps_backward(const TapRegulariser& r, const std::vector<double>& k,
                                             const std::vector<double>& dy);

}  // namespace longconv::reference
