#define AT_PER_OPERATOR_HEADERS
#include "tests/core/ops/device.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace longconv::testing {

at::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
      return at::kDouble;
    case Dtype::bf16:
      return at::kBFloat16;
    case Dtype::f16:
      return at::kHalf;
    default:
      return at::kFloat;
  }
}

at::Device torch_device() {
  return at::Device(test_device() == Device::cuda ? at::kCUDA : at::kCPU);
}

at::Tensor to_tensor(const std::vector<double>& values, at::IntArrayRef shape, Dtype dtype) {
  const at::Tensor x = at::empty(shape, at::TensorOptions().dtype(at::kDouble));
  EXPECT_EQ(static_cast<std::size_t>(x.numel()), values.size());
  std::copy(values.begin(), values.end(), x.mutable_data_ptr<double>());
  return x.to(torch_device(), scalar_type(dtype));
}

std::vector<double> to_values(const at::Tensor& x) {
  const at::Tensor flat = x.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

}  // namespace longconv::testing
