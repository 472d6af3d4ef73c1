// What the tests of goldens (models.md section 8) have in common: the precisions, their bounds, and
// the comparison of gradients.
#pragma once

#include "core/runtime/device.h"
#include "tests/models/fidelity.h"
#include "tests/models/small_models.h"

#include <ATen/autocast_mode.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace longconv::testing {

// The bounds of 8.1. float32: sin(w x) multiplies rounding by w in every layer of the filter MLP.
inline constexpr double kFloat64 = 1e-10;
inline constexpr double kFloat32 = 1e-4;

inline constexpr double kBfloat16 = 2e-2;

struct Precision {
  const char* name;
  at::DeviceType device;
  at::ScalarType dtype;  ///< of parameters
  double tolerance;
  const char* products;  ///< what autocast runs matrix products in, as train.precision says it
};
inline constexpr Precision kPrecisions[] = {
    {"CpuFloat64", at::kCPU, at::kDouble, kFloat64, "float64"},
    {"CpuFloat32", at::kCPU, at::kFloat, kFloat32, "float32"},
    {"CpuBfloat16", at::kCPU, at::kFloat, kBfloat16, "bf16"},
    {"CudaFloat64", at::kCUDA, at::kDouble, kFloat64, "float64"},
    {"CudaFloat32", at::kCUDA, at::kFloat, kFloat32, "float32"},
    {"CudaBfloat16", at::kCUDA, at::kFloat, kBfloat16, "bf16"},
};

using Gradients = std::map<std::string, Moments>;

class Goldens : public ::testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (GetParam().device == at::kCUDA && !at::hasCUDA()) {
      GTEST_SKIP() << "no CUDA device (or a build without CUDA)";
    }
    autocast_.emplace(c10::Device(GetParam().device), GetParam().products);
    at::autocast::set_autocast_cache_enabled(false);  // tests write into weights
  }
  void TearDown() override {
    at::autocast::set_autocast_cache_enabled(true);
    autocast_.reset();
  }
  /// Under autocast, as training in bf16 runs: parameters stay in float32.
  static bool is_bf16() { return std::string_view(GetParam().products) == "bf16"; }
  /// What a product gives, and the next layer reads.
  static at::ScalarType product_type() { return is_bf16() ? at::kBFloat16 : GetParam().dtype; }
  static at::TensorOptions options() {
    return at::TensorOptions(GetParam().dtype).device(GetParam().device);
  }
  [[nodiscard]] virtual double tolerance() const { return GetParam().tolerance; }

  // What a test measures against a golden goes through these, which put it into docs/fidelity.md.

  void record(const std::string& golden, double error) const { record(golden, error, tolerance()); }
  static void record(const std::string& golden, double error, double allowed) {
    record_fidelity({golden, GetParam().name, error, allowed});
  }
  template <class Want>
  ::testing::AssertionResult agrees(const std::string& golden, const at::Tensor& x,
                                    const Want& want) const {
    return agrees(golden, x, want, tolerance());
  }
  template <class Want>
  static ::testing::AssertionResult agrees(const std::string& golden, const at::Tensor& x,
                                           const Want& want, double allowed) {
    record(golden, gap(values(x), want), allowed);
    return matches(x, want, allowed);
  }
  /// Every value of the result, as printed.
  ::testing::AssertionResult agrees(const std::string& golden, const at::Tensor& x,
                                    const std::vector<Figure>& want) const {
    const std::vector<double> got = values(x);
    if (got.size() != want.size()) return ::testing::AssertionFailure() << got.size() << " values";
    double largest = 0.0;
    for (const double value : got) largest = std::max(largest, std::abs(value));
    double error = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      error = std::max(error, gap(got[i], want[i], largest));
    }
    record(golden, error);
    if (error <= tolerance()) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << golden << " is off by " << error << " of its signal";
  }
  void expect_number(const std::string& golden, double got, const Figure& want) const {
    const double error = gap(got, want, std::abs(want.value));
    record(golden, error);
    EXPECT_LE(error, tolerance()) << golden << " is " << got << ", expected " << want.value;
  }
  /// `in_bf16`: allowed there. A result is one rounding after another; a gradient comes back
  /// through all of them, and small parts of it through the differences of large ones.
  void expect_gradients(const std::string& golden, const torch::nn::Module& module,
                        const std::string& prefix, const Gradients& want, double in_bf16) const {
    const double allowed = is_bf16() ? in_bf16 : tolerance();
    const auto parameters = module.named_parameters();
    for (const auto& [name, moments] : want) {
      const at::Tensor* parameter = parameters.find(prefix + name);
      ASSERT_NE(parameter, nullptr) << prefix + name;
      ASSERT_TRUE(parameter->grad().defined()) << prefix + name;
      EXPECT_TRUE(agrees(golden, parameter->grad(), moments, allowed)) << prefix + name;
    }
  }
  static at::Tensor ids(std::int64_t low = 7, std::int64_t vocab = 12) {
    return token_ids(2, 16, low, vocab).to(GetParam().device);
  }
  /// An output without the signal, or without the filter, must not pass even the looser bound. What
  /// weak weights leave of the filter is below bf16's rounding: there the "s" goldens say it.
  void expect_sensitive(const at::Tensor& y, const at::Tensor& without_filter, const Golden& golden,
                        bool strong) const {
    const double bound = std::max(kFloat32, tolerance());
    EXPECT_FALSE(matches(at::zeros_like(y), golden, bound)) << "zeros pass";
    if (strong || !is_bf16()) {
      EXPECT_FALSE(matches(without_filter, golden, bound)) << "an output without filter passes";
    }
  }

 private:
  std::optional<runtime::Autocast> autocast_;
};

/// Zeroes the last layer of every filter MLP: the long convolution keeps only its skip.
inline void remove_filters(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : module.named_parameters()) {
    const std::string& name = parameter.key();
    if (name.find("implicit_filter") != std::string::npos && name.ends_with(".6.weight")) {
      parameter->zero_();
    }
  }
}

}  // namespace longconv::testing
