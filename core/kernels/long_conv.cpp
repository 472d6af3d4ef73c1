#include "core/kernels/long_conv.h"

#include "core/kernels/cpu/long_conv_direct.h"

#include <algorithm>

namespace longconv::kernels {
namespace {

// Direct sums cost L * min(K, L), transforms L log L and six passes through memory. bench_core
// shows where they meet on this machine class; docs of the measurement: bench/results.
constexpr std::int64_t kDirectTapsF32 = 128;
constexpr std::int64_t kDirectTapsF64 = 128;

constexpr LongConvVariant kVariants[] = {
    // clang-format off
    // name             device       dtype        max L       best taps       forward, backward
    {"cpu_direct_f64",  Device::cpu, Dtype::f64,  kAnyLength, kDirectTapsF64, &cpu::direct_forward<double>, &cpu::direct_backward<double>},
    {"cpu_direct_f32",  Device::cpu, Dtype::f32,  kAnyLength, kDirectTapsF32, &cpu::direct_forward<float>,  &cpu::direct_backward<float>},
    // clang-format on
};

}  // namespace

std::span<const LongConvVariant> long_conv_variants() { return kVariants; }

const LongConvVariant* find_long_conv(Device device, Dtype dtype, std::int64_t length,
                                      std::int64_t taps) {
  for (const LongConvVariant& row : kVariants) {
    if (row.device == device && row.dtype == dtype && length <= row.max_length &&
        std::min(length, taps) <= row.best_taps) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace longconv::kernels
