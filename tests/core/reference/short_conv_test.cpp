#include "core/reference/short_conv.h"

#include <gmock/gmock.h>

namespace longconv::reference {
namespace {

using ::testing::ElementsAre;

ShortConv by_hand() {
  ShortConv x;
  x.channels = 2;
  x.length = 4;
  x.taps = 3;
  x.u = {1, 10, 100, 1000, 1, 1, 1, 1};
  x.w = {2, 3, 5, 0, 0, 1};
  x.bias = {0, 7};
  return x;
}

TEST(ReferenceShortConv, TheLastTapWeighsThePresentStep) {
  EXPECT_THAT(short_conv(by_hand()), ElementsAre(5, 53, 532, 5320, 8, 8, 8, 8));
}

TEST(ReferenceShortConv, GradientsWorkedByHand) {
  const ShortConvGradients d = short_conv_backward(by_hand(), {1, 1, 1, 1, 0, 0, 0, 1});
  EXPECT_THAT(d.u, ElementsAre(10, 10, 8, 5, 0, 0, 0, 1));
  EXPECT_THAT(d.w, ElementsAre(11, 111, 1111, 1, 1, 1));
  EXPECT_THAT(d.bias, ElementsAre(4, 1));
}

}  // namespace
}  // namespace longconv::reference
