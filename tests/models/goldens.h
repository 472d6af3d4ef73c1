// What the tests of goldens (models.md section 8) have in common: the precisions, their bounds, and
// the comparison of gradients.
#pragma once

#include "tests/models/fidelity.h"
#include "tests/models/small_models.h"

#include <fmt/format.h>

#include <map>
#include <string>

namespace longconv::testing {

// The bounds of 8.1. float32: sin(w x) multiplies rounding by w in every layer of the filter MLP.
inline constexpr double kFloat64 = 1e-10;
inline constexpr double kFloat32 = 1e-4;

struct Precision {
  const char* name;
  at::DeviceType device;
  at::ScalarType dtype;
  double tolerance;
};
inline constexpr Precision kPrecisions[] = {
    {"CpuFloat64", at::kCPU, at::kDouble, kFloat64},
    {"CpuFloat32", at::kCPU, at::kFloat, kFloat32},
    {"CudaFloat64", at::kCUDA, at::kDouble, kFloat64},
    {"CudaFloat32", at::kCUDA, at::kFloat, kFloat32},
};

using Gradients = std::map<std::string, Moments>;

class Goldens : public ::testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (GetParam().device == at::kCUDA && !at::hasCUDA()) {
      GTEST_SKIP() << "no CUDA device (or a build without CUDA)";
    }
  }
  static at::TensorOptions options() {
    return at::TensorOptions(GetParam().dtype).device(GetParam().device);
  }
  [[nodiscard]] virtual double tolerance() const { return GetParam().tolerance; }

  // What a test measures against a golden goes through these, which put it into docs/fidelity.md.

  void record(const std::string& golden, double error) const {
    record_fidelity({golden, GetParam().name, error, tolerance()});
  }
  template <class Want>
  ::testing::AssertionResult agrees(const std::string& golden, const at::Tensor& x,
                                    const Want& want) const {
    record(golden, gap(values(x), want));
    return matches(x, want, tolerance());
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
  void expect_gradients(const std::string& golden, const torch::nn::Module& module,
                        const std::string& prefix, const Gradients& want) const {
    const auto parameters = module.named_parameters();
    for (const auto& [name, moments] : want) {
      const at::Tensor* parameter = parameters.find(prefix + name);
      ASSERT_NE(parameter, nullptr) << prefix + name;
      ASSERT_TRUE(parameter->grad().defined()) << prefix + name;
      EXPECT_TRUE(agrees(golden, parameter->grad(), moments)) << prefix + name;
    }
  }
  static at::Tensor ids(std::int64_t low = 7, std::int64_t vocab = 12) {
    return token_ids(2, 16, low, vocab).to(GetParam().device);
  }
  /// An output without the signal, or without the filter, must not pass even the looser bound.
  static void expect_sensitive(const at::Tensor& y, const at::Tensor& without_filter,
                               const Golden& golden) {
    EXPECT_FALSE(matches(at::zeros_like(y), golden, kFloat32)) << "zeros pass";
    EXPECT_FALSE(matches(without_filter, golden, kFloat32)) << "an output without filter passes";
  }
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
