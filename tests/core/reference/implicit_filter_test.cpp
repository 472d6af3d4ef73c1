// Golden G1: E=5, Lmax=16, F=8, 6 channels, w=10, two inner layers, evaluated at L=12.
#include "core/reference/implicit_filter.h"

#include "tests/support/implicit_filter_golden.h"

#include <gtest/gtest.h>

namespace longconv::reference {
namespace {

using testing::g1_weights;
using testing::matches;

ImplicitFilter g1() {
  ImplicitFilter f;
  f.l_max = testing::kG1LMax;
  f.emb_dim = testing::kG1EmbDim;
  f.width = testing::kG1Width;
  f.channels = testing::kG1Channels;
  for (const testing::G1Tensor& tensor : g1_weights()) {
    (tensor.shape.size() == 2 ? f.weights : f.biases).push_back(tensor.values);
  }
  f.freq.assign(static_cast<std::size_t>(f.width), testing::kG1SineFreq);
  f.deltas = modulation_deltas(f.channels, 0.3, 1.5, 1e-2);
  return f;
}

constexpr double kTolerance = 1e-12;

TEST(ReferenceImplicitFilter, PositionalFeaturesAreTheGoldens) {
  const std::vector<double> z = positional_features(testing::kG1LMax, testing::kG1EmbDim);
  EXPECT_TRUE(matches(z, testing::kG1Features, kTolerance));
}

TEST(ReferenceImplicitFilter, IsTheGoldenWithAndWithoutShiftAndModulation) {
  ImplicitFilter f = g1();
  EXPECT_TRUE(matches(implicit_filter(f, 12), testing::kG1, kTolerance));
  f.shift = 0.05;
  EXPECT_TRUE(matches(implicit_filter(f, 12), testing::kG1Shifted, kTolerance));
  f.deltas.clear();
  EXPECT_TRUE(matches(implicit_filter(f, 12), testing::kG1Unmodulated, kTolerance));
  EXPECT_FALSE(matches(implicit_filter(f, 12), testing::kG1, 1e-2));
}

TEST(ReferenceImplicitFilter, NormalisesOverChannelsAtEachStep) {
  ImplicitFilter f = g1();
  f.normalized = true;
  const std::vector<double> h = implicit_filter(f, 12);
  for (std::size_t t = 0; t < 12; ++t) {
    double norm = 0.0;
    for (std::size_t c = 0; c < 6; ++c) {
      norm += std::abs(h[t * 6 + c]);
    }
    EXPECT_NEAR(norm, 1.0, 1e-14);
  }
}

}  // namespace
}  // namespace longconv::reference
