#include "apps/tensor_report.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace longconv::apps {
namespace {

double from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

double from_f16(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 0x1F) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);  // subnormal
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <class T>
double widen(T value) {
  return static_cast<double>(value);
}

/// `convert` turns one stored element into a double.
template <class Stored, class Convert>
TensorStatistics collect(std::span<const std::byte> data, Convert convert) {
  TensorStatistics s;
  s.elements = static_cast<std::int64_t>(data.size() / sizeof(Stored));
  double squares = 0.0;  // Welford: sum of squared distances from the running mean
  std::int64_t finite = 0;
  for (std::int64_t i = 0; i < s.elements; ++i) {
    Stored stored;
    std::memcpy(&stored, data.data() + static_cast<std::size_t>(i) * sizeof(Stored),
                sizeof(Stored));  // a tensor in a file need not be aligned
    const double x = convert(stored);
    if (std::isnan(x)) {
      ++s.nans;
      continue;
    }
    if (std::isinf(x)) {
      ++s.infinities;
      continue;
    }
    if (x == 0.0) ++s.zeros;
    s.minimum = finite == 0 ? x : std::fmin(s.minimum, x);
    s.maximum = finite == 0 ? x : std::fmax(s.maximum, x);
    ++finite;
    const double step = x - s.mean;
    s.mean += step / static_cast<double>(finite);
    squares += step * (x - s.mean);
  }
  if (finite > 0) s.deviation = std::sqrt(squares / static_cast<double>(finite));
  return s;
}

}  // namespace

TensorStatistics statistics(const files::TensorView& tensor) {
  switch (tensor.dtype) {
    case Dtype::f64:
      return collect<double>(tensor.data, widen<double>);
    case Dtype::f32:
      return collect<float>(tensor.data, widen<float>);
    case Dtype::bf16:
      return collect<std::uint16_t>(tensor.data, from_bf16);
    case Dtype::f16:
      return collect<std::uint16_t>(tensor.data, from_f16);
    case Dtype::i64:
      return collect<std::int64_t>(tensor.data, widen<std::int64_t>);
    case Dtype::i32:
      return collect<std::int32_t>(tensor.data, widen<std::int32_t>);
    case Dtype::i16:
      return collect<std::int16_t>(tensor.data, widen<std::int16_t>);
    case Dtype::i8:
      return collect<std::int8_t>(tensor.data, widen<std::int8_t>);
    case Dtype::u8:
    case Dtype::boolean:
      return collect<std::uint8_t>(tensor.data, widen<std::uint8_t>);
  }
  return {};
}

}  // namespace longconv::apps
