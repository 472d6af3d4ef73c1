#include "core/base/dtype.h"

namespace longconv {

std::string_view name(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::f64:
      return "float64";
    case Dtype::f32:
      return "float32";
    case Dtype::bf16:
      return "bf16";
    case Dtype::f16:
      return "fp16";
    case Dtype::i64:
      return "int64";
    case Dtype::i32:
      return "int32";
    case Dtype::i16:
      return "int16";
    case Dtype::i8:
      return "int8";
    case Dtype::u8:
      return "uint8";
    case Dtype::boolean:
      return "bool";
  }
  return "unknown";
}

std::string_view name(Device device) noexcept { return device == Device::cpu ? "cpu" : "cuda"; }

std::size_t size_of(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::i64:
      return 8;
    case Dtype::f32:
    case Dtype::i32:
      return 4;
    case Dtype::bf16:
    case Dtype::f16:
    case Dtype::i16:
      return 2;
    case Dtype::i8:
    case Dtype::u8:
    case Dtype::boolean:
      return 1;
  }
  return 0;
}

}  // namespace longconv
