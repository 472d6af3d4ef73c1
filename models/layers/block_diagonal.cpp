#include "models/layers/block_diagonal.h"

#include "core/base/check.h"
#include "core/ops/block_linear.h"
#include "models/layers/basic.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <optional>

namespace longconv::models {

BlockDiagonal::BlockDiagonal(std::int64_t in, std::int64_t out, std::int64_t blocks, bool with_bias,
                             const at::TensorOptions& options)
    : in_(in), out_(out) {
  const auto rounded_up = [blocks](std::int64_t width) { return (width + blocks - 1) / blocks; };
  const auto uniform = [&](at::IntArrayRef shape, std::int64_t fan) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(fan));
    return at::empty(shape, options).uniform_(-bound, bound);
  };
  weight = register_parameter("weight",
                              uniform({blocks, rounded_up(out), rounded_up(in)}, rounded_up(in)));
  if (with_bias) bias = register_parameter("bias", uniform({out}, out));
}

at::Tensor BlockDiagonal::forward(const at::Tensor& x) const {
  LONGCONV_CHECK(x.dim() >= 1 && x.size(-1) == in_, ShapeError,
                 "block-diagonal layer: x must be [.., {}], got [{}]", in_,
                 fmt::join(x.sizes(), ", "));
  const std::int64_t padded_in = weight.size(0) * weight.size(2);
  const std::int64_t padded_out = weight.size(0) * weight.size(1);
  const auto padded = [](const at::Tensor& t, std::int64_t width) {
    return t.size(-1) == width ? t : at::constant_pad_nd(t, {0, width - t.size(-1)});
  };
  const at::Tensor y = ops::block_linear(
      padded(x.to(product_dtype(x)), padded_in), weight,
      bias.defined() ? std::optional<at::Tensor>(padded(bias, padded_out)) : std::nullopt);
  return padded_out == out_ ? y : y.narrow(-1, 0, out_);
}

}  // namespace longconv::models
