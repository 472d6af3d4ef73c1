#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv_torch.h"

#include "core/ops/tensor_access.h"

#include <ATen/ops/add.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>

#include <vector>

namespace longconv::ops {

at::Tensor torch_short_conv(const at::Tensor& u, const at::Tensor& w, const at::Tensor& bias) {
  const at::ScalarType wide = wide_type(u);
  const std::int64_t taps = w.size(1);
  const at::Tensor padded = at::constant_pad_nd(u.to(wide), {taps - 1, 0});
  return at::conv1d(padded, w.unsqueeze(1), bias, 1, at::IntArrayRef{0}, 1, u.size(1))
      .to(u.options(), false, false, at::MemoryFormat::Contiguous);
}

ShortConvGradients torch_short_conv_backward(const at::Tensor& u, const at::Tensor& w,
                                             const at::Tensor& bias, const at::Tensor& dy,
                                             const ShortConvWanted& wanted) {
  const at::ScalarType wide = wide_type(u);
  const std::int64_t taps = w.size(1);
  const std::int64_t length = u.size(2);
  const at::Tensor g = dy.to(wide);
  ShortConvGradients d;
  if (wanted.u) {
    const at::Tensor ahead = at::constant_pad_nd(g, {0, taps - 1});
    at::Tensor sum;
    for (std::int64_t j = 0; j < taps; ++j) {
      const at::Tensor term = at::mul(ahead.narrow(2, taps - 1 - j, length), w.narrow(1, j, 1));
      sum = sum.defined() ? at::add(sum, term) : term;
    }
    d.u = sum.to(u.scalar_type());
  }
  if (wanted.w) {
    const at::Tensor past = at::constant_pad_nd(u.to(wide), {taps - 1, 0});
    std::vector<at::Tensor> columns;
    for (std::int64_t j = 0; j < taps; ++j) {
      columns.push_back(at::mul(g, past.narrow(2, j, length)).sum(at::IntArrayRef{0, 2}));
    }
    d.w = at::stack(columns, 1);
  }
  if (wanted.bias && bias.defined()) {
    d.bias = g.sum(at::IntArrayRef{0, 2});
  }
  return d;
}

}  // namespace longconv::ops
