#include "models/weights/widen.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstring>

namespace longconv::models {
namespace {

/// A file need not align its values.
template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// `convert` turns the stored bits into a float.
template <class Stored, class Convert>
std::vector<std::byte> convert_all(std::span<const std::byte> data, Convert convert) {
  const std::size_t count = data.size() / sizeof(Stored);
  std::vector<std::byte> out(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    const float value = convert(read<Stored>(data.data() + i * sizeof(Stored)));
    std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

}  // namespace

bool is_float(Dtype dtype) {
  return dtype == Dtype::f64 || dtype == Dtype::f32 || dtype == Dtype::bf16 || dtype == Dtype::f16;
}

std::vector<std::byte> to_float32(const files::TensorView& view) {
  switch (view.dtype) {
    case Dtype::f64:
      return convert_all<double>(view.data, [](double x) { return static_cast<float>(x); });
    case Dtype::bf16:
      return convert_all<std::uint16_t>(view.data, [](std::uint16_t bits) {
        return static_cast<float>(c10::BFloat16(bits, c10::BFloat16::from_bits()));
      });
    case Dtype::f16:
      return convert_all<std::uint16_t>(view.data, [](std::uint16_t bits) {
        return static_cast<float>(c10::Half(bits, c10::Half::from_bits()));
      });
    default:
      return {view.data.begin(), view.data.end()};
  }
}

std::int64_t count_not_finite(std::span<const std::byte> float32) {
  constexpr std::uint32_t kExponent = 0x7F800000;  // all ones: infinity or NaN
  std::int64_t count = 0;
  for (std::size_t i = 0; i + sizeof(std::uint32_t) <= float32.size(); i += sizeof(std::uint32_t)) {
    count += (read<std::uint32_t>(float32.data() + i) & kExponent) == kExponent ? 1 : 0;
  }
  return count;
}

}  // namespace longconv::models
