#define AT_PER_OPERATOR_HEADERS
#include "core/ops/tensor_access.h"

#include "core/base/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#ifdef LONGCONV_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace longconv::ops {
namespace {

std::string_view word(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return "float64";
    case at::kFloat:
      return "float32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      return c10::toString(type);
  }
}

}  // namespace

std::string describe(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return "nothing";
  }
  return fmt::format("{} ({}, {})", describe(tensor.sizes()), word(tensor.scalar_type()),
                     tensor.device().str());
}

Dtype dtype_of(const at::Tensor& tensor, const char* op, const char* argument) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return Dtype::f64;
    case at::kFloat:
      return Dtype::f32;
    case at::kBFloat16:
      return Dtype::bf16;
    case at::kHalf:
      return Dtype::f16;
    default:
      throw ShapeError(fmt::format("{}: {} must be float64, float32, bf16 or fp16, got {}", op,
                                   argument, describe(tensor)));
  }
}

at::ScalarType wide_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

Device device_of(const at::Tensor& tensor, const char* op) {
  LONGCONV_CHECK(tensor.is_cpu() || tensor.is_cuda(), ShapeError,
                 "{}: runs on cpu and cuda, got {}", op, describe(tensor));
  return tensor.is_cuda() ? Device::cuda : Device::cpu;
}

Stream stream_of(const at::Tensor& tensor) {
#ifdef LONGCONV_WITH_CUDA
  if (tensor.is_cuda()) {
    return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
  }
#endif
  (void)tensor;
  return nullptr;
}

void expect_tensor(const at::Tensor& tensor, const char* op, const char* argument,
                   at::IntArrayRef shape, at::ScalarType dtype, at::Device device,
                   const std::string& why) {
  const bool matches = tensor.defined() && tensor.sizes() == shape &&
                       tensor.scalar_type() == dtype && tensor.device() == device;
  LONGCONV_CHECK(matches, ShapeError, "{}: {} must be {} ({}, {}) {}, got {}", op, argument,
                 describe(shape), word(dtype), device.str(), why, describe(tensor));
}

}  // namespace longconv::ops
