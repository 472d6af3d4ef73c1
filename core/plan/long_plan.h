// The ring transform's plan (ring_plan.h) with more rings than a multiprocessor or a cluster holds.
//
// Above kMaxOuter rings the outer stage is two stages itself, R = 32 Q, n1 = Q a + b, k1 = c + 32
// d:
//
//   n1 (k1 + 1/4) / R  =  a (c + 1/4) / 32  +  b (c + 1/4) / R  +  b d / Q      (modulo 1)
#pragma once

#include "core/plan/ring_plan.h"

namespace longconv::plan {

inline constexpr int kMaxLongOuter = 1024;  ///< largest R so far

/// R of the smallest such plan that holds `length` points: 64, 128, .. kMaxLongOuter; 0 if none.
LONGCONV_HOST_DEVICE constexpr int long_outer_for(long long length) {
  for (int outer = 2 * kMaxOuter; outer <= kMaxLongOuter; outer *= 2) {
    if (length <= static_cast<long long>(outer) * kRing) return outer;
  }
  return 0;
}
/// a (c + 1/4) / 32.
LONGCONV_HOST_DEVICE constexpr Phase long_first_phase(int a, int c) {
  return reduced(a * (4 * c + 1), 4 * kSide);
}
/// b (c + 1/4) / R.
LONGCONV_HOST_DEVICE constexpr Phase long_twiddle(int outer, int b, int c) {
  return reduced(b * (4 * c + 1), 4 * outer);
}
/// b d / Q.
LONGCONV_HOST_DEVICE constexpr Phase long_second_phase(int outer, int b, int d) {
  return reduced(b * d, outer / kSide);
}

}  // namespace longconv::plan
