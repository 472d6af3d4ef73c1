#define AT_PER_OPERATOR_HEADERS
#include "core/ops/butterfly.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/fft_ifft.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/real.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/view_as_complex.h>

#include <algorithm>
#include <bit>
#include <numbers>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "butterfly";
constexpr std::int64_t kRadix = kButterflyOrders.back();

/// exp(-2 pi i a b / n) for a < rows, b < columns as (rows, columns, 2) float64 on the options'
/// device (at::complex would not do for the meta device).
at::Tensor turns(std::int64_t rows, std::int64_t columns, std::int64_t n,
                 const at::TensorOptions& options) {
  const auto whole = options.dtype(at::kLong).requires_grad(false);
  // The product modulo n first: a sine of 2 pi times a large number has lost its digits.
  const at::Tensor step =
      at::remainder(at::mul(at::arange(rows, whole).unsqueeze(1), at::arange(columns, whole)), n);
  const at::Tensor angle =
      at::mul(step.to(at::kDouble), -2.0 * std::numbers::pi / static_cast<double>(n));
  return at::stack({angle.cos(), angle.sin()}, -1);
}

void check_matrices(const ButterflyMatrices& matrices, const char* argument, const at::Tensor& x,
                    at::ScalarType dtype) {
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const at::Tensor& m = matrices[i];
    const std::int64_t n = kButterflyOrders[i];
    const std::int64_t channels = x.size(-2);
    const bool fits = m.defined() && m.dim() == 4 && (m.size(0) == 1 || m.size(0) == channels) &&
                      m.size(1) == n && m.size(2) == n && m.size(3) == 2 &&
                      m.scalar_type() == dtype && m.device() == x.device();
    LONGCONV_CHECK(fits, ShapeError,
                   "{}: {} of order {} must be [1 or {}, {}, {}, 2] in {}, got {}", kOp, argument,
                   n, channels, n, n, at::toString(dtype), describe(m));
  }
}

/// M_n (Hm, 1, n, n) complex.
at::Tensor matrix(const ButterflyMatrices& matrices, std::int64_t n) {
  const auto at = static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(n)) - 1);
  return at::view_as_complex(matrices.at(at).contiguous()).unsqueeze(1);
}

/// x (.., H, R, N) complex: the transform of every row.
at::Tensor transform_rows(const at::Tensor& x, const ButterflyMatrices& matrices) {
  const std::int64_t length = x.size(-1);
  if (length <= kRadix) {
    const at::Tensor m = matrix(matrices, length).squeeze(1).transpose(1, 2);
    return m.size(0) == 1 ? at::matmul(x, m[0]) : at::matmul(x, m);
  }
  const std::int64_t columns = length / kRadix;
  const at::Tensor twiddles =
      at::view_as_complex(turns(kRadix, columns, length, x.options())).to(x.scalar_type());
  // (.., H, R, 16, n), transformed down its columns and turned; then along its rows.
  const at::Tensor a =
      at::mul(at::matmul(matrix(matrices, kRadix), x.unflatten(-1, {kRadix, columns})), twiddles);
  const at::Tensor rows = transform_rows(a.flatten(-3, -2), matrices).unflatten(-2, {-1, kRadix});
  return rows.transpose(-1, -2).flatten(-2);
}

at::Tensor transform(const at::Tensor& x, const ButterflyMatrices& matrices) {
  const at::Tensor rows = x.to(at::toComplexType(x.scalar_type())).unsqueeze(-2);
  return transform_rows(rows, matrices).squeeze(-2);
}

}  // namespace

at::Tensor dft_matrix(std::int64_t n, const at::TensorOptions& options) {
  return turns(n, n, n, options).to(options);
}

at::Tensor butterfly_transform(const at::Tensor& x, const ButterflyMatrices& matrices) {
  LONGCONV_CHECK(x.defined() && x.dim() >= 2 && x.size(-1) >= 2 &&
                     std::has_single_bit(static_cast<std::uint64_t>(x.size(-1))),
                 ShapeError, "{}: x must be [.., H, N], N a power of two from 2 on, got {}", kOp,
                 describe(x));
  check_matrices(matrices, "matrices", x, at::toRealValueType(x.scalar_type()));
  const NoAutocast no_autocast;
  return transform(x, matrices);
}

at::Tensor butterfly_conv(const ButterflyConvInputs& in) {
  LONGCONV_CHECK(in.u.defined() && in.u.dim() == 3 && in.u.numel() > 0, ShapeError,
                 "{}: u must be [B, H, L], none of them 0, got {}", kOp, describe(in.u));
  (void)dtype_of(in.u, kOp, "u");
  const std::int64_t channels = in.u.size(1);
  const std::int64_t length = in.u.size(2);
  const at::ScalarType wide = wide_type(in.u);
  const auto check_filter = [&](const at::Tensor& k, const char* argument) {
    const bool fits = k.defined() && k.dim() == 3 && k.size(0) == in.k.size(0) &&
                      k.size(1) == channels && k.size(2) >= 1 && k.size(2) <= length &&
                      k.scalar_type() == wide && k.device() == in.u.device();
    LONGCONV_CHECK(fits, ShapeError,
                   "{}: {} must be [C, {}, 1 to {} taps] in {} to match u {}, got {}", kOp,
                   argument, channels, length, at::toString(wide), describe(in.u), describe(k));
  };
  check_filter(in.k, "k");
  if (in.k_reverse) check_filter(*in.k_reverse, "k_reverse");
  if (in.skip) {
    expect_tensor(*in.skip, kOp, "skip", {in.k.size(0), channels}, wide, in.u.device(),
                  "to match k " + describe(in.k));
  }
  check_matrices(in.of_u, "of_u", in.u, wide);
  check_matrices(in.of_k, "of_k", in.u, wide);

  const NoAutocast no_autocast;
  const auto size = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(2 * length, 2))));
  const at::Tensor u = in.u.to(wide);
  at::Tensor k = at::constant_pad_nd(in.k, {0, size - in.k.size(2)});
  if (in.k_reverse) {
    // Around the circle: the last place is one step ahead.
    k = at::add(k, at::constant_pad_nd(in.k_reverse->flip({2}), {size - in.k_reverse->size(2), 0}));
  }
  const at::Tensor product =
      at::mul(transform(at::constant_pad_nd(u, {0, size - length}), in.of_u).unsqueeze(1),
              transform(k, in.of_k));
  at::Tensor y = at::real(at::fft_ifft(product)).narrow(-1, 0, length);
  if (in.skip) y = at::add(y, at::mul(in.skip->unsqueeze(-1), u.unsqueeze(1)));
  return y.to(in.u.scalar_type());
}

}  // namespace longconv::ops
