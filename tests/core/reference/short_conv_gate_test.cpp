#include "core/reference/short_conv_gate.h"

#include <gmock/gmock.h>

namespace longconv::reference {
namespace {

using ::testing::ElementsAre;

/// D = 1, order 2, two taps of which the first weighs the step before: s = p[t] + 2 p[t-1].
ShortConvGate by_hand() {
  ShortConvGate x;
  x.order = 2;
  x.length = 3;
  x.taps = 2;
  x.p = {1, 10, 2, /**/ 0, 1, 3, /**/ 4, 0, 5};  // [L, (x0, x1, v)]
  x.w = {2, 1, 2, 1, 2, 1};
  x.bias = {100, 0, 0};
  return x;
}

TEST(ReferenceShortConvGate, SplitsAndGatesWhatTheShortConvolutionGives) {
  const GatedParts out = short_conv_gate(by_hand());
  EXPECT_THAT(out.gates, ElementsAre(101, 102, 104));
  EXPECT_THAT(out.product, ElementsAre(10 * 2, 21 * 7, 2 * 11));
}

TEST(ReferenceShortConvGate, GradientsWorkedByHand) {
  // d gates at step 1, d product at step 2: dx1 = v = 11, dv = x1 = 2 there.
  const ShortConvGateGradients d = short_conv_gate_backward(by_hand(), {{0, 1, 0}, {0, 0, 1}});
  EXPECT_THAT(d.p, ElementsAre(2, 0, 0, /**/ 1, 22, 4, /**/ 0, 11, 2));
  EXPECT_THAT(d.w, ElementsAre(1, 0, 11, 0, 6, 10));
  EXPECT_THAT(d.bias, ElementsAre(1, 11, 2));
}

}  // namespace
}  // namespace longconv::reference
