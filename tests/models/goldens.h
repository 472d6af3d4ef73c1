// What the tests of goldens (models.md section 8) have in common: the precisions, their bounds, and
// the comparison of gradients.
#pragma once

#include "tests/models/small_models.h"

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
  static double tolerance() { return GetParam().tolerance; }
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

using Gradients = std::map<std::string, Moments>;

inline void expect_gradients(const torch::nn::Module& module, const std::string& prefix,
                             const Gradients& want, double tolerance) {
  const auto parameters = module.named_parameters();
  for (const auto& [name, moments] : want) {
    const at::Tensor* parameter = parameters.find(prefix + name);
    ASSERT_NE(parameter, nullptr) << prefix + name;
    ASSERT_TRUE(parameter->grad().defined()) << prefix + name;
    EXPECT_TRUE(matches(parameter->grad(), moments, tolerance)) << prefix + name;
  }
}

}  // namespace longconv::testing
