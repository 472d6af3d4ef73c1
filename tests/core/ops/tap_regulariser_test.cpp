// Every row of smoothing, squash and dropout of filters against the float64 reference.
#define AT_PER_OPERATOR_HEADERS
#include "core/ops/tap_regulariser.h"

#include "core/base/error.h"
#include "core/reference/tap_regulariser.h"
#include "tests/core/ops/device.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tolerance.h"
#include "tests/support/values.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <ostream>
#include <string>
#include <vector>

namespace longconv::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::max_error;
using testing::max_norm;
using testing::message_of;
using testing::OnDevice;
using testing::random_values;
using testing::to_tensor;
using testing::to_values;

struct Case {
  const TapRegulariserRow* row;
  Dtype dtype;
  std::int64_t rows, taps;
  TapRegulariser how;
};

std::string describe(const Case& c) {
  return fmt::format("{}_{}_R{}_T{}_w{}{}{}", c.row->name, name(c.dtype), c.rows, c.taps,
                     c.how.window, c.how.squash > 0 ? "_squash" : "",
                     c.how.dropout > 0 ? "_dropout" : "");
}
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

at::Tensor filter_of(const Case& c) {
  return to_tensor(random_values(static_cast<std::size_t>(c.rows * c.taps), 1, c.dtype),
                   {c.rows, c.taps}, c.dtype)
      .requires_grad_(true);
}

/// While alive, rows draw their seeds from a generator that starts at `value`: two calls drop the
/// same taps. Other tests' random numbers stay what they were.
class Seeded {
 public:
  explicit Seeded(std::uint64_t value)
      : generator_(at::detail::getDefaultCPUGenerator()), before_(generator_.get_state()) {
    generator_.set_current_seed(value);
  }
  ~Seeded() { generator_.set_state(before_); }
  Seeded(const Seeded&) = delete;
  Seeded& operator=(const Seeded&) = delete;

 private:
  at::Generator generator_;
  at::Tensor before_;
};

class TapRegulariserRows : public OnDevice<::testing::TestWithParam<Case>> {};

TEST_P(TapRegulariserRows, AreTheFloat64Reference) {
  const Case& c = GetParam();
  reference::TapRegulariser r;
  r.taps = c.taps;
  r.window = c.how.window;
  r.squash = c.how.squash;
  const at::Tensor k = filter_of(c);
  r.mask.assign(static_cast<std::size_t>(k.numel()), 1.0);
  if (c.how.dropout > 0.0) {
    const Seeded seeded(5);
    const TapRegulariser only = {1, 0.0, c.how.dropout};
    const at::Tensor ones = to_tensor(std::vector<double>(r.mask.size(), 1.0), k.sizes(), c.dtype);
    r.mask = to_values(regularise_taps_with(*c.row, ones, only));
  }
  const Seeded seeded(5);
  const at::Tensor y = regularise_taps_with(*c.row, k, c.how);
  const std::vector<double> want = reference::regularise_taps(r, to_values(k));
  // Values are below 1; a window's sum of at most `window` of them is divided by it.
  const double scale = 1.0 / (1.0 - c.how.dropout);
  const double bound = scale * testing::sum_bound(c.dtype, static_cast<double>(c.how.window) + 4.0);
  EXPECT_LE(max_error(to_values(y), want), bound);

  const std::vector<double> dy = random_values(want.size(), 3, c.dtype);
  const at::Tensor dk = torch::autograd::grad({y}, {k}, {to_tensor(dy, y.sizes(), c.dtype)})[0];
  const std::vector<double> dwant = reference::regularise_taps_backward(r, to_values(k), dy);
  EXPECT_LE(max_error(to_values(dk), dwant), bound);
  if (want.size() > 100) {
    EXPECT_GT(max_norm(want), 10.0 * bound) << "zeros would pass";
    EXPECT_GT(max_norm(dwant), 10.0 * bound) << "zeros would pass";
  }
}

TEST_P(TapRegulariserRows, RepeatThemselvesBitForBitFromASeed) {
  const Case& c = GetParam();
  const at::Tensor k = filter_of(c);
  const auto once = [&](std::uint64_t value) {
    const Seeded seeded(value);
    const at::Tensor y = regularise_taps_with(*c.row, k, c.how);
    return std::vector<at::Tensor>{y.detach(), torch::autograd::grad({y.square().sum()}, {k})[0]};
  };
  const auto first = once(1);
  const auto second = once(1);
  EXPECT_TRUE(first[0].equal(second[0]));
  EXPECT_TRUE(first[1].equal(second[1]));
  if (c.how.dropout > 0.0 && k.numel() > 100) {
    EXPECT_FALSE(first[0].equal(once(2)[0])) << "another seed";
  }
}

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const TapRegulariserRow& row : tap_regulariser_rows()) {
    for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
      if (row.variant != nullptr &&
          (row.variant->device != testing::test_device() || row.variant->dtype != dtype)) {
        continue;
      }
      // LibTorch's masks come from the device's own generator.
      const bool drops = row.variant != nullptr || testing::test_device() == Device::cpu;
      const double share = drops ? 0.3 : 0.0;
      for (const std::int64_t taps : {1, 2, 7, 1023, 1024, 1025, 3001}) {
        cases.push_back({&row, dtype, 3, taps, {1, 0.2, share}});
        cases.push_back({&row, dtype, 2, taps, {7, 0.1, share}});
      }
      for (const std::int64_t window : {3, 5, 63, 255}) {
        cases.push_back({&row, dtype, 2, 2050, {window, 0.01, 0.0}});
        cases.push_back({&row, dtype, 2, 2050, {window, 0.0, share}});
      }
      cases.push_back({&row, dtype, 5, 333, {1, 0.0, drops ? 0.5 : 0.0}});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryRow, TapRegulariserRows, ::testing::ValuesIn(every_case()),
                         [](const auto& param_info) { return describe(param_info.param); });

class TapRegulariserOp : public OnDevice<::testing::Test> {};

TEST_F(TapRegulariserOp, HasFirstAndSecondDerivatives) {
  for (const TapRegulariserRow& row : tap_regulariser_rows()) {
    for (const TapRegulariser& how :
         {TapRegulariser{1, 0.2, 0.0}, TapRegulariser{3, 0.1, 0.0}, TapRegulariser{3, 0.1, 0.4}}) {
      const at::Tensor k = to_tensor(random_values(24, 8, Dtype::f64), {2, 12}, Dtype::f64);
      if (!row.takes(k, how) || (how.dropout > 0.0 && row.variant == nullptr)) continue;
      const testing::TensorFunction f = [&](const testing::Tensors& x) {
        const Seeded seeded(3);
        return regularise_taps_with(row, x[0], how);
      };
      EXPECT_TRUE(testing::gradcheck(f, {k})) << row.name << " window " << how.window;
      // Of k there is none: the slopes are steps.
      testing::GradcheckOptions options;
      options.may_be_zero = true;
      EXPECT_TRUE(testing::gradgradcheck(f, {k}, options)) << row.name;
    }
  }
}

TEST_F(TapRegulariserOp, EveryDeviceDropsTheSameTaps) {
  const at::Tensor k = at::ones({7, 129}, at::TensorOptions(at::kFloat));
  const TapRegulariser how = {1, 0.0, 0.25};
  const auto dropped = [&](const at::Tensor& on) {
    const Seeded seeded(11);
    return regularise_taps(on, how);
  };
  const at::Tensor here = dropped(k.to(testing::torch_device()));
  EXPECT_EQ(to_values(here), to_values(dropped(k)));
  EXPECT_NEAR(here.eq(0.0).to(at::kFloat).mean().item<float>(), 0.25F, 0.06F);
}

TEST_F(TapRegulariserOp, TakesViewsThatBeginAnywhere) {
  const at::Tensor all = to_tensor(random_values(65, 2, Dtype::f32), {65}, Dtype::f32);
  const TapRegulariser how = {1, 0.2, 0.0};
  EXPECT_TRUE(
      regularise_taps(all.narrow(0, 1, 64), how).equal(regularise_taps(all, how).narrow(0, 1, 64)));
}

TEST_F(TapRegulariserOp, NothingToDoIsTheFilterItself) {
  const at::Tensor k = at::ones({2, 3}, at::TensorOptions(at::kFloat));
  EXPECT_TRUE(regularise_taps(k, {}).is_same(k));
}

TEST_F(TapRegulariserOp, ErrorsSayWhatWasWanted) {
  const at::Tensor k = at::ones({2, 3}, at::TensorOptions(at::kFloat));
  const auto error = [&](const TapRegulariser& how) {
    return message_of<ShapeError>([&] { regularise_taps(k, how); });
  };
  EXPECT_THAT(error({4, 0.0, 0.0}),
              HasSubstr("tap_regulariser: window must be odd and at least 1, got 4"));
  EXPECT_THAT(error({1, -1.0, 0.0}), HasSubstr("squash >= 0"));
  EXPECT_THAT(error({1, 0.0, 1.5}), AllOf(HasSubstr("dropout in [0, 1]"), HasSubstr("1.5")));
}

}  // namespace
}  // namespace longconv::ops
