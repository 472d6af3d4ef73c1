// Every row of the implicit filter in float32 against LibTorch's operators in float64, which
// implicit_filter_test.cpp holds against central differences and the plain-loop twin.
#define AT_PER_OPERATOR_HEADERS
#include "core/base/error.h"
#include "core/ops/implicit_filter.h"
#include "tests/core/ops/device.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

namespace longconv::ops {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::OnDevice;
using testing::random_values;
using testing::relative_l2;
using testing::to_tensor;
using testing::to_values;

struct Case {
  const ImplicitFilterRow* row = nullptr;
  std::int64_t features, width, layers, channels, length;
  double freq = 10.0;
  bool modulate = true;
  double shift = 0.05;
};

std::string describe(const Case& c) {
  return fmt::format("{}_E{}_F{}_{}sines_D{}_L{}{}{}", c.row->name, c.features, c.width, c.layers,
                     c.channels, c.length, c.modulate ? "" : "_plain",
                     c.shift == 0.0 ? "_unshifted" : "");
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

/// PyTorch's first values of a linear layer, U(+-1 / sqrt(in)), rounded to float32.
at::Tensor uniform(at::IntArrayRef shape, std::int64_t in, std::uint64_t seed, Dtype dtype) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  std::vector<double> x = random_values(count, seed, Dtype::f32);
  for (double& value : x) {
    value = testing::rounded(value / std::sqrt(static_cast<double>(in)), Dtype::f32);
  }
  return to_tensor(x, shape, dtype);
}

/// The same numbers in either precision, for l_max somewhat longer than the filter.
ImplicitFilterInputs make_inputs(const Case& c, Dtype dtype) {
  const at::TensorOptions single =
      at::TensorOptions().dtype(at::kFloat).device(testing::torch_device());
  const at::ScalarType type = testing::scalar_type(dtype);
  const PositionalFeatures features = positional_features(c.length + 3, c.features, single);
  ImplicitFilterInputs in;
  in.z = features.z.to(type);
  in.t = features.t.to(type);
  std::int64_t width = c.features;
  std::uint64_t seed = 1;
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    in.weights.push_back(uniform({c.width, width}, width, seed++, dtype));
    in.biases.push_back(uniform({c.width}, width, seed++, dtype));
    width = c.width;
  }
  in.weights.push_back(uniform({c.channels, width}, width, seed++, dtype));
  in.freq = at::full({1, c.width}, c.freq, single).to(type);
  if (c.modulate) in.deltas = modulation_deltas(c.channels, 0.3, 1.5, 1e-2, single).to(type);
  in.shift = static_cast<double>(static_cast<float>(c.shift));
  return in;
}

std::vector<at::Tensor*> leaves(ImplicitFilterInputs& in) {
  std::vector<at::Tensor*> all = {&in.z, &in.freq};
  for (at::Tensor& w : in.weights) all.push_back(&w);
  for (at::Tensor& b : in.biases) all.push_back(&b);
  return all;
}

/// h, then the gradients of z, freq, weights and biases.
std::vector<at::Tensor> run(const ImplicitFilterRow& row, const Case& c, Dtype dtype) {
  ImplicitFilterInputs in = make_inputs(c, dtype);
  std::vector<at::Tensor> wanted;
  for (at::Tensor* leaf : leaves(in)) wanted.push_back(leaf->requires_grad_(true));
  const at::Tensor h = implicit_filter_with(row, in, c.length);
  const at::Tensor dh = to_tensor(
      random_values(static_cast<std::size_t>(h.numel()), 99, Dtype::f32), h.sizes(), dtype);
  std::vector<at::Tensor> all = torch::autograd::grad({h}, wanted, {dh});
  all.insert(all.begin(), h.detach());
  return all;
}

std::string name_of(const Case& c, std::size_t i) {
  const auto layers = static_cast<std::size_t>(c.layers);
  if (i == 0) return "h";
  if (i == 1) return "dz";
  if (i == 2) return "dfreq";
  return i < 4 + layers ? fmt::format("dW{}", i - 3) : fmt::format("db{}", i - 4 - layers);
}

class ImplicitFilterRows : public OnDevice<::testing::TestWithParam<Case>> {};

// A sine of w W x multiplies the roundings of x by w |W|, and with PyTorch's first weights, of
// variance 1 / (3 in), that is w / sqrt(3) on the average: 190 times over the three sines of
// HyenaDNA's w = 10. LibTorch's own float32 row is off by 4e-6 to 1.2e-5 there, the tensor cores',
// whose sums are cut off instead of rounded, by 1e-5 to 4e-5.
double bound_for(const Case& c) {
  return 1.5e-6 * static_cast<double>(c.layers) +
         4.0 * testing::unit_roundoff(Dtype::f32) *
             std::pow(std::max(1.0, c.freq / std::sqrt(3.0)), static_cast<double>(c.layers));
}

TEST_P(ImplicitFilterRows, AreThoseOfFloat64) {
  const Case& c = GetParam();
  const auto want = run(implicit_filter_rows().back(), c, Dtype::f64);
  const auto got = run(*c.row, c, Dtype::f32);
  const double bound = bound_for(c);
  ASSERT_EQ(got.size(), want.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(got[i].sizes(), want[i].sizes());
    const double error = relative_l2(to_values(got[i]), to_values(want[i]));
    EXPECT_LE(error, bound) << name_of(c, i);
    worst = std::max(worst, error);
  }
  RecordProperty("worst_relative_error", fmt::format("{:.2e}", worst));
}

TEST_P(ImplicitFilterRows, RepeatThemselvesBitForBit) {
  const Case& c = GetParam();
  const auto first = run(*c.row, c, Dtype::f32);
  const auto second = run(*c.row, c, Dtype::f32);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(first[i].equal(second[i])) << name_of(c, i);
  }
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const ImplicitFilterRow& row : implicit_filter_rows()) {
    if (row.variant != nullptr && row.variant->device != testing::test_device()) continue;
    // HyenaDNA, Hyena-GPT, M2-BERT.
    cases.push_back({&row, 5, 64, 3, 256, 1000});
    cases.push_back({&row, 33, 64, 3, 100, 512, 14.0, true, 0.0});
    cases.push_back({&row, 5, 128, 3, 192, 128});
    // Steps and channels at the edges of a tile and a chunk, and both kinds of alignment.
    for (const std::int64_t length : {1, 2, 127, 128, 129, 255, 260}) {
      cases.push_back({&row, 5, 64, 3, 65, length});
    }
    for (const std::int64_t channels : {1, 6, 63, 64, 128, 129}) {
      cases.push_back({&row, 5, 64, 3, channels, 200, 10.0, false});
    }
    // Sizes that are no multiples of anything, and the limits.
    for (const std::int64_t width : {1, 8, 31, 63, 65, 100, 127, 128}) {
      cases.push_back({&row, 7, width, 2, 70, 150});
    }
    for (const std::int64_t features : {3, 9, 17, 31, 63}) {
      cases.push_back({&row, features, 64, 1, 32, 140});
      cases.push_back({&row, features, 128, 3, 70, 140});
    }
    cases.push_back({&row, 5, 64, 6, 64, 130, 1.0});
    cases.push_back({&row, 5, 128, 6, 64, 130, 1.0});
    if (row.variant == nullptr) continue;
    // More tiles than blocks: each goes round; the last one is cut.
    cases.push_back({&row, 5, 64, 3, 9, 40001});
    cases.push_back({&row, 5, 128, 2, 130, 36000});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, ImplicitFilterRows, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

class ImplicitFilterTable : public OnDevice<::testing::Test> {};

/// The best row of this program's device.
const ImplicitFilterRow& first_row() {
  const auto rows = implicit_filter_rows();
  return *std::find_if(rows.begin(), rows.end(), [](const ImplicitFilterRow& row) {
    return row.variant == nullptr || row.variant->device == testing::test_device();
  });
}

TEST_F(ImplicitFilterTable, ChoosesTheFirstRowThatFits) {
  const Case c{nullptr, 5, 64, 3, 64, 100};
  ImplicitFilterInputs in = make_inputs(c, Dtype::f32);
  EXPECT_TRUE(first_row().takes(in));
  EXPECT_TRUE(implicit_filter(in, 100).equal(implicit_filter_with(first_row(), in, 100)));
  if (first_row().variant == nullptr) return;  // no other on this device
  for (ImplicitFilterInputs wrong :
       {make_inputs({nullptr, 65, 64, 3, 64, 100}, Dtype::f32),
        make_inputs({nullptr, 5, 129, 3, 64, 100}, Dtype::f32),
        make_inputs({nullptr, 5, 64, 7, 64, 100}, Dtype::f32), make_inputs(c, Dtype::f64)}) {
    EXPECT_FALSE(first_row().takes(wrong));
    EXPECT_EQ(implicit_filter(wrong, 100).size(0), 100);
    EXPECT_THAT(message_of<UnsupportedError>([&] { implicit_filter_with(first_row(), wrong, 9); }),
                HasSubstr("does not take z"));
  }
  in.normalized = true;
  EXPECT_FALSE(first_row().takes(in));
  in.normalized = false;
  in.deltas->requires_grad_(true);
  EXPECT_FALSE(first_row().takes(in));
}

TEST_F(ImplicitFilterTable, FrozenParametersGetNoGradientAndTheOthersTheSame) {
  const Case c{&first_row(), 5, 64, 3, 64, 300};
  const auto all = run(first_row(), c, Dtype::f32);
  ImplicitFilterInputs in = make_inputs(c, Dtype::f32);
  in.weights[1].requires_grad_(true);
  in.biases[0].requires_grad_(true);
  const at::Tensor h = implicit_filter_with(first_row(), in, c.length);
  const at::Tensor dh = to_tensor(
      random_values(static_cast<std::size_t>(h.numel()), 99, Dtype::f32), h.sizes(), Dtype::f32);
  h.backward(dh);
  EXPECT_TRUE(in.weights[1].grad().equal(all[4]));
  EXPECT_TRUE(in.biases[0].grad().equal(all[7]));
  EXPECT_FALSE(in.z.grad().defined());
}

TEST_F(ImplicitFilterTable, HasSecondDerivatives) {
  const Case c{&first_row(), 5, 16, 2, 4, 30, 2.0};
  const auto second = [&](const ImplicitFilterRow& row, Dtype dtype) {
    ImplicitFilterInputs in = make_inputs(c, dtype);
    for (at::Tensor* leaf : leaves(in)) leaf->requires_grad_(true);
    const at::Tensor h = implicit_filter_with(row, in, c.length);
    const at::Tensor slope =
        torch::autograd::grad({h.square().sum()}, {in.weights[1]}, {}, /*retain_graph=*/true,
                              /*create_graph=*/true)[0];
    return torch::autograd::grad({slope.square().sum()}, {in.weights[0]})[0];
  };
  EXPECT_LE(relative_l2(to_values(second(first_row(), Dtype::f32)),
                        to_values(second(implicit_filter_rows().back(), Dtype::f64))),
            1e-5);
}

}  // namespace
}  // namespace longconv::ops
