// The ring transform's plan (ring_plan.h) with more rings than a multiprocessor or a cluster holds.
//
// Above kMaxOuter rings the outer stage is two stages itself, R = P Q, n1 = Q a + b, k1 = c + P d:
//
//   n1 (k1 + 1/4) / R  =  a (c + 1/4) / P  +  b (c + 1/4) / R  +  b d / Q      (modulo 1)
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
/// a (c + 1/4) / P.
LONGCONV_HOST_DEVICE constexpr Phase long_first_phase(int p, int a, int c) {
  return reduced(a * (4 * c + 1), 4 * p);
}
/// b (c + 1/4) / R.
LONGCONV_HOST_DEVICE constexpr Phase long_twiddle(int outer, int b, int c) {
  return reduced(b * (4 * c + 1), 4 * outer);
}
/// b d / Q.
LONGCONV_HOST_DEVICE constexpr Phase long_second_phase(int q, int b, int d) {
  return reduced(b * d, q);
}

/// The tensor cores' passes take n22 and k2 in another order than ring_plan.h's: place 16 d + 8 t +
/// g of n22 (and of k2) is column 16 d + 2 g + t. Then a lane's four values of n22 are two pairs of
/// neighbours, and a ring of the scratch lies in order.
LONGCONV_HOST_DEVICE constexpr int pass_order(int place) {
  return (place & 16) | ((place & 7) << 1) | ((place >> 3) & 1);
}

}  // namespace longconv::plan
