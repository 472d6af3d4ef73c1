// What every operator of this room needs of a tensor: its dtype and device in the kernels' words,
// its stream, and messages that show what came.
#pragma once

#include "core/base/dtype.h"

#include <ATen/core/Tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>
#include <string>

namespace longconv::ops {

/// "[8, 768, 2048] (float32, cuda:0)"
std::string describe(const at::Tensor& tensor);

/// "[8, 768]"
std::string describe(at::IntArrayRef shape);

/// The kernels' name of a floating dtype; throws ShapeError for any other, naming `argument`.
Dtype dtype_of(const at::Tensor& tensor, const char* op, const char* argument);

/// float64 for float64, else float32: in what sums and transforms run, and what filters have.
at::ScalarType wide_type(const at::Tensor& tensor);

/// The current stream of the tensor's device; nullptr on the CPU.
Stream stream_of(const at::Tensor& tensor);

/// cpu or cuda; throws ShapeError for any other device.
Device device_of(const at::Tensor& tensor, const char* op);

/// Throws ShapeError "op: argument must be WANT ..., got ..." unless shape, dtype and device match.
void expect_tensor(const at::Tensor& tensor, const char* op, const char* argument,
                   at::IntArrayRef shape, at::ScalarType dtype, at::Device device,
                   const std::string& why);

inline at::Tensor value_or_undefined(const std::optional<at::Tensor>& tensor) {
  return tensor.has_value() ? *tensor : at::Tensor();
}

/// While alive, autocast leaves our operators alone: they choose their own precision.
class NoAutocast {
 public:
  NoAutocast() : guard_(c10::autocast_dispatch_keyset) {}

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

}  // namespace longconv::ops
