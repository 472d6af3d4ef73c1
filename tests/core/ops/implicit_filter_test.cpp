// Golden G1 of the implicit filter in float64 and float32, the reference twin, and its gradients.
#include "core/ops/implicit_filter.h"

#include "core/base/error.h"
#include "core/reference/implicit_filter.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/implicit_filter_golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <gmock/gmock.h>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::matches;
using testing::message_of;
using testing::OnDevice;
using testing::to_tensor;
using testing::to_values;

struct Precision {
  Dtype dtype;
  double tolerance;
};

ImplicitFilterInputs g1(Dtype dtype) {
  const at::TensorOptions options =
      at::TensorOptions().dtype(testing::scalar_type(dtype)).device(testing::torch_device());
  ImplicitFilterInputs in;
  const PositionalFeatures features =
      positional_features(testing::kG1LMax, testing::kG1EmbDim, options);
  in.z = features.z;
  in.t = features.t;
  for (const testing::G1Tensor& tensor : testing::g1_weights()) {
    (tensor.shape.size() == 2 ? in.weights : in.biases)
        .push_back(to_tensor(tensor.values, tensor.shape, dtype));
  }
  in.freq = to_tensor(std::vector<double>(8, testing::kG1SineFreq), {1, 8}, dtype);
  in.deltas = modulation_deltas(testing::kG1Channels, 0.3, 1.5, 1e-2, options);
  return in;
}

class ImplicitFilter : public OnDevice<::testing::TestWithParam<Precision>> {};

TEST_P(ImplicitFilter, IsTheGolden) {
  const auto [dtype, tolerance] = GetParam();
  ImplicitFilterInputs in = g1(dtype);
  EXPECT_EQ(in.z.sizes(), (at::IntArrayRef{1, 16, 5}));
  EXPECT_EQ(in.t.sizes(), (at::IntArrayRef{1, 16, 1}));
  EXPECT_EQ(in.deltas->sizes(), (at::IntArrayRef{1, 1, 6}));
  EXPECT_TRUE(matches(to_values(in.z), testing::kG1Features, tolerance));
  const auto h = [&] { return to_values(implicit_filter(in, testing::kG1Length)); };
  EXPECT_TRUE(matches(h(), testing::kG1, tolerance));
  EXPECT_FALSE(matches(std::vector<double>(72), testing::kG1, tolerance)) << "zeros pass";
  in.shift = 0.05;
  EXPECT_TRUE(matches(h(), testing::kG1Shifted, tolerance));
  EXPECT_FALSE(matches(h(), testing::kG1, tolerance)) << "the shift is lost in the tolerance";
  in.deltas.reset();
  EXPECT_TRUE(matches(h(), testing::kG1Unmodulated, tolerance));
}

// float32: sin(w x) multiplies rounding by w = 10 in each of three layers.
INSTANTIATE_TEST_SUITE_P(EveryPrecision, ImplicitFilter,
                         ::testing::Values(Precision{Dtype::f64, 1e-10},
                                           Precision{Dtype::f32, 1e-4}),
                         [](const auto& param_info) {
                           return std::string(name(param_info.param.dtype));
                         });

class ImplicitFilterOp : public OnDevice<::testing::Test> {};

TEST_F(ImplicitFilterOp, IsItsReferenceTwinAlsoNormalised) {
  ImplicitFilterInputs in = g1(Dtype::f64);
  in.normalized = true;
  in.shift = 0.02;
  reference::ImplicitFilter twin;
  twin.l_max = testing::kG1LMax;
  twin.emb_dim = testing::kG1EmbDim;
  twin.width = testing::kG1Width;
  twin.channels = testing::kG1Channels;
  for (const testing::G1Tensor& tensor : testing::g1_weights()) {
    (tensor.shape.size() == 2 ? twin.weights : twin.biases).push_back(tensor.values);
  }
  twin.freq.assign(8, testing::kG1SineFreq);
  twin.deltas = reference::modulation_deltas(twin.channels, 0.3, 1.5, 1e-2);
  twin.normalized = true;
  twin.shift = 0.02;
  EXPECT_LE(
      testing::max_error(to_values(implicit_filter(in, 9)), reference::implicit_filter(twin, 9)),
      1e-13);
}

TEST_F(ImplicitFilterOp, HasGradientsInEveryParameter) {
  const ImplicitFilterInputs base = g1(Dtype::f64);
  testing::Tensors inputs = {base.z, base.freq, *base.deltas};
  inputs.insert(inputs.end(), base.weights.begin(), base.weights.end());
  inputs.insert(inputs.end(), base.biases.begin(), base.biases.end());
  const testing::TensorFunction f = [&](const testing::Tensors& x) {
    ImplicitFilterInputs in = base;
    in.z = x[0];
    in.freq = x[1];
    in.deltas = x[2];
    for (std::size_t i = 0; i < in.weights.size(); ++i) {
      in.weights[i] = x[3 + i];
    }
    for (std::size_t i = 0; i < in.biases.size(); ++i) {
      in.biases[i] = x[3 + in.weights.size() + i];
    }
    return implicit_filter(in, 12);
  };
  testing::GradcheckOptions options;
  options.step = 1e-6;  // sin(10 sin(10 ...)) bends quickly
  options.tolerance = 1e-5;
  EXPECT_TRUE(testing::gradcheck(f, inputs, options));
}

TEST_F(ImplicitFilterOp, ErrorsSayWhatWasWanted) {
  EXPECT_THAT(message_of<ShapeError>([] { positional_features(16, 4, {}); }),
              HasSubstr("emb_dim must be odd and at least 3, got 4"));
  EXPECT_THAT(message_of<ShapeError>([] { positional_features(1, 5, {}); }),
              HasSubstr("l_max must be at least 2, got 1"));
  const ImplicitFilterInputs in = g1(Dtype::f32);
  EXPECT_THAT(message_of<ShapeError>([&] { implicit_filter(in, 17); }),
              AllOf(HasSubstr("z must be [1, Lmax, E] with Lmax >= 17"), HasSubstr("[1, 16, 5]")));
  ImplicitFilterInputs wrong = in;
  wrong.weights[1] = in.weights[0];
  EXPECT_THAT(message_of<ShapeError>([&] { implicit_filter(wrong, 12); }),
              AllOf(HasSubstr("weight 1 must be [out, 8]"), HasSubstr("got [8, 5]")));
  wrong = in;
  wrong.biases.pop_back();
  EXPECT_THAT(message_of<ShapeError>([&] { implicit_filter(wrong, 12); }),
              HasSubstr("got 4 weights and 2 biases"));
}

}  // namespace
}  // namespace longconv::ops
