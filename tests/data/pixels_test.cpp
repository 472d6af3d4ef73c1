#include "data/tasks/pixels.h"

#include "core/base/error.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <numeric>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;

std::vector<std::int64_t> tokens_of(const PixelConfig& config, int height, int width,
                                    const std::vector<std::int64_t>& levels) {
  const PixelTransform transform(config, {height, width, 1, {}, {}});
  std::vector<std::int64_t> out(static_cast<std::size_t>(transform.length()));
  transform.to_tokens(levels, out);
  return out;
}

std::vector<std::int64_t> counting(std::size_t count) {
  std::vector<std::int64_t> out(count);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

TEST(Pixels, TokensAreTheGreyLevelsThemselves) {
  PixelConfig config;
  config.input.set("tokens");
  EXPECT_EQ(tokens_of(config, 16, 16, counting(256)), counting(256));
}

TEST(Pixels, AreReadInTheOrderAskedFor) {
  PixelConfig config;
  config.input.set("tokens");
  config.order.set("snake");
  EXPECT_THAT(tokens_of(config, 2, 3, counting(6)), ElementsAre(0, 1, 2, 5, 4, 3));
  config.order.set("bit_reversal");
  EXPECT_THAT(tokens_of(config, 2, 3, counting(6)), ElementsAre(0, 4, 2, 1, 5, 3));
  config.order.set("hilbert");
  const auto curve = tokens_of(config, 8, 8, counting(64));
  for (std::size_t i = 1; i < curve.size(); ++i) {
    const auto apart =
        std::abs(curve[i] / 8 - curve[i - 1] / 8) + std::abs(curve[i] % 8 - curve[i - 1] % 8);
    EXPECT_EQ(apart, 1) << "place " << i;
  }
  auto sorted = curve;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, counting(64));
  EXPECT_THAT(message_of<ConfigError>([&] { tokens_of(config, 2, 3, counting(6)); }),
              HasSubstr("order: hilbert needs a square"));
}

TEST(Pixels, AreScaledAsAsked) {
  PixelConfig config;
  const PixelTransform::Shape shape{1, 2, 1, {0.2}, {0.4}};
  std::vector<float> out(2);
  const std::vector<std::int64_t> levels{0, 255};
  PixelTransform(config, shape).to_floats(levels, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(-1.0F), FloatEq(1.0F)));
  config.scale.set("unit");
  PixelTransform(config, shape).to_floats(levels, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(0.0F), FloatEq(1.0F)));
  config.scale.set("standard");
  PixelTransform(config, shape).to_floats(levels, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(-0.5F), FloatEq(2.0F)));
  EXPECT_THAT(message_of<ConfigError>([&] {
                PixelTransform(config, {1, 2, 1, {}, {}});
              }),
              HasSubstr("pixels.scale: no mean"));
}

TEST(Pixels, ArePooledToMeans) {
  PixelConfig config;
  config.scale.set("unit");
  config.pool.set(2);
  std::vector<float> out(2);
  PixelTransform(config, {2, 4, 1, {}, {}})
      .to_floats(std::vector<std::int64_t>{0, 0, 255, 255, 0, 255, 255, 255}, out);
  EXPECT_THAT(out, ElementsAre(FloatEq(0.25F), FloatEq(1.0F)));
  EXPECT_THAT(message_of<ConfigError>([&] {
                PixelTransform(config, {3, 4, 1, {}, {}});
              }),
              HasSubstr("pixels.pool: expected a divisor"));
}

TEST(Pixels, ColoursHaveNoTokens) {
  PixelConfig config;
  config.input.set("tokens");
  EXPECT_THAT(message_of<ConfigError>([&] {
                PixelTransform(config, {2, 2, 3, {}, {}});
              }),
              HasSubstr("tokens are for grey images"));
}

}  // namespace
}  // namespace longconv::data
