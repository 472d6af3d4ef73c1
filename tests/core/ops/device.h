// Which device this program's cases run on: device_cpu.cpp or device_gpu.cpp says it.
#pragma once

#include "core/base/dtype.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace longconv::testing {

/// The kernels' word and LibTorch's for this program's device.
Device test_device();
at::Device torch_device();

/// Why the cases cannot run here; empty if they can.
std::string why_skipped();

at::ScalarType scalar_type(Dtype dtype);

/// Values as a tensor on this program's device, and back. Values already rounded stay exact.
at::Tensor to_tensor(const std::vector<double>& values, at::IntArrayRef shape, Dtype dtype);
std::vector<double> to_values(const at::Tensor& x);

/// Base of every case: skips, saying why, where the device is missing.
template <class Base>
class OnDevice : public Base {
 protected:
  void SetUp() override {
    const std::string why = why_skipped();
    if (!why.empty()) {
      GTEST_SKIP() << why;
    }
  }
};

}  // namespace longconv::testing
