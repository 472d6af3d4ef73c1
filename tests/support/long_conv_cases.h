// Problems for the long convolution: shapes kind and unkind, every mode, gates and skips, several
// filters, filters shorter and longer than the signal; and the bound on a row's error.
#pragma once

#include "core/kernels/long_conv.h"
#include "core/reference/long_conv.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace longconv::testing {

struct ConvShape {
  std::int64_t batch = 2, filters = 1, channels = 3, length = 8, taps = 8, reverse_taps = 0;
  kernels::ConvMode mode = kernels::ConvMode::causal;
  bool skip = true, gate_in = false, gate_out = false;
};

inline std::string describe(const ConvShape& s) {
  constexpr const char* kModes[] = {"causal", "bidirectional", "conjugate", "circular"};
  return fmt::format("{}_B{}_C{}_H{}_L{}_K{}_R{}{}{}{}", kModes[static_cast<int>(s.mode)], s.batch,
                     s.filters, s.channels, s.length, s.taps, s.reverse_taps, s.skip ? "_skip" : "",
                     s.gate_in ? "_in" : "", s.gate_out ? "_out" : "");
}

inline bool two_sided(kernels::ConvMode mode) {
  return mode == kernels::ConvMode::bidirectional || mode == kernels::ConvMode::conjugate;
}

inline kernels::LongConvShape to_shape(const ConvShape& s, Device device, Dtype dtype) {
  return {device, dtype, s.length, s.taps, s.filters, s.mode};
}

/// Every mode at every size; then gates, filters and tap counts in turn at a small odd size.
inline std::vector<ConvShape> conv_shapes() {
  using kernels::ConvMode;
  std::vector<ConvShape> all;
  for (const ConvMode mode :
       {ConvMode::causal, ConvMode::bidirectional, ConvMode::conjugate, ConvMode::circular}) {
    ConvShape base;
    base.mode = mode;
    for (const std::int64_t length : {1, 2, 7, 129, 1000, 1024}) {
      ConvShape s = base;
      s.length = s.taps = length;
      s.channels = length > 500 ? 1 : 3;
      s.reverse_taps = two_sided(mode) ? length : 0;
      s.gate_in = s.gate_out = length % 2 == 1;
      all.push_back(s);
    }
    ConvShape many = base;  // more rows than a tile of a kernel holds, the last tile not full
    many.batch = 19;
    many.channels = 3;
    many.length = many.taps = 40;
    many.reverse_taps = two_sided(mode) ? 40 : 0;
    many.gate_in = many.gate_out = true;
    all.push_back(many);
    ConvShape longer = base;  // beyond one group of lags of a kernel's dk, odd
    longer.channels = 1;
    longer.length = longer.taps = 1543;
    longer.reverse_taps = two_sided(mode) ? 1543 : 0;
    all.push_back(longer);
    base.length = base.taps = 45;
    base.reverse_taps = two_sided(mode) ? 45 : 0;
    for (int subset = 0; subset < 8; ++subset) {
      ConvShape s = base;
      s.skip = (subset & 1) != 0;
      s.gate_in = (subset & 2) != 0;
      s.gate_out = (subset & 4) != 0;
      all.push_back(s);
    }
    for (const std::int64_t taps : {1, 2, 33, 44, 46, 70}) {
      if (mode == ConvMode::circular && taps > base.length) {
        continue;  // an error, tested elsewhere
      }
      ConvShape s = base;
      s.taps = taps;
      s.reverse_taps = two_sided(mode) ? 71 - taps : 0;
      all.push_back(s);
    }
    ConvShape several = base;
    several.filters = 2;
    several.gate_in = several.gate_out = true;
    all.push_back(several);
    several.batch = 1;
    several.gate_out = several.skip = false;
    all.push_back(several);
  }
  return all;
}

/// Values for a shape: u and gates in `dtype`, decaying filters and skip in its wide dtype.
inline reference::LongConv make_problem(const ConvShape& s, Dtype dtype) {
  reference::LongConv x;
  x.batch = s.batch;
  x.filters = s.filters;
  x.channels = s.channels;
  x.length = s.length;
  x.taps = s.taps;
  x.reverse_taps = s.reverse_taps;
  x.mode = static_cast<reference::ConvMode>(s.mode);
  const auto signal = static_cast<std::size_t>(s.batch * s.channels * s.length);
  const auto filters = static_cast<std::size_t>(s.filters * s.channels);
  const auto decaying = [&](std::int64_t taps, std::uint64_t seed) {
    std::vector<double> k =
        random_values(filters * static_cast<std::size_t>(taps), seed, Dtype::f64);
    for (std::size_t i = 0; i < k.size(); ++i) {
      const double lag = static_cast<double>(i % static_cast<std::size_t>(taps));
      k[i] = rounded(k[i] * std::exp(-3.0 * lag / static_cast<double>(taps)), wide(dtype));
    }
    return k;
  };
  x.u = random_values(signal, 1, dtype);
  x.k = decaying(s.taps, 2);
  if (s.reverse_taps > 0) {
    x.k_reverse = decaying(s.reverse_taps, 3);
  }
  if (s.skip) {
    x.skip = random_values(filters, 4, wide(dtype));
  }
  if (s.gate_in) {
    x.gate_in = random_values(signal, 5, dtype);
  }
  if (s.gate_out) {
    x.gate_out = random_values(signal, 6, dtype);
  }
  return x;
}

inline std::vector<double> output_gradient(const ConvShape& s, Dtype dtype) {
  return random_values(static_cast<std::size_t>(s.batch * s.filters * s.channels * s.length), 7,
                       dtype);
}

/// The same problem with every value replaced by its absolute value.
inline reference::LongConv absolute(const reference::LongConv& x) {
  reference::LongConv a = x;
  for (std::vector<double>* values : {&a.u, &a.k, &a.k_reverse, &a.skip, &a.gate_in, &a.gate_out}) {
    *values = absolute(std::move(*values));
  }
  return a;
}

/// How a row sums: transforms spread their noise over all outputs, direct sums do not.
enum class Sums { direct, by_wide_transform, by_half_transform };

/// How far a row may be off, relative to the sum of absolute values: sums or transforms in wide
/// precision or fp16, and `roundings` to `dtype`: of gated products before the sum, of the result
/// after it.
inline double row_bound(const ConvShape& s, Dtype dtype, Sums how, int roundings) {
  const auto rows = static_cast<double>(std::max(s.batch, s.filters));  // dk sums over the batch
  const auto length = static_cast<double>(s.length);
  double sums = sum_bound(dtype, rows * length);
  if (how == Sums::by_wide_transform) {
    sums = transform_bound(dtype, 2.0 * length) * rows;
  } else if (how == Sums::by_half_transform) {
    // Two transforms of five roundings each, and the spectra's; they add up like noise.
    sums += 4.0 * unit_roundoff(Dtype::f16);
  }
  return sums + roundings * unit_roundoff(dtype);
}

/// The bound for y, du and the gates' gradients: the result, at most one gated product, and the
/// taps where a kernel multiplies in 16 bits.
inline double signal_bound(const ConvShape& s, Dtype dtype, Sums how) {
  return row_bound(s, dtype, how, 3);
}

/// The bound for dk, dk_reverse and dskip, which are wide: gated products only.
inline double filter_bound(const ConvShape& s, Dtype dtype, Sums how) {
  return row_bound(s, dtype, how, int{s.gate_in} + int{s.gate_out});
}

}  // namespace longconv::testing
