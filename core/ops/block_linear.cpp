#define AT_PER_OPERATOR_HEADERS
#include "core/ops/block_linear.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sum.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "block_linear";

void check(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  LONGCONV_CHECK(x.defined() && x.dim() >= 1 && x.numel() > 0, ShapeError,
                 "{}: x must be [.., nb I], none of them 0, got {}", kOp, describe(x));
  (void)dtype_of(x, kOp, "x");
  LONGCONV_CHECK(weight.defined() && weight.dim() == 3 && weight.numel() > 0 &&
                     weight.size(0) * weight.size(2) == x.size(-1) && weight.device() == x.device(),
                 ShapeError, "{}: weight must be [nb, O, I] with nb I = {} to match x {}, got {}",
                 kOp, x.size(-1), describe(x), describe(weight));
  if (bias) {
    expect_tensor(*bias, kOp, "bias", {weight.size(0) * weight.size(1)}, weight.scalar_type(),
                  x.device(), "to match weight " + describe(weight));
  }
}

/// (rows, nb c) contiguous as nb matrices (rows, c), without a copy.
at::Tensor by_block(const at::Tensor& x, std::int64_t blocks) {
  return x.unflatten(1, {blocks, x.size(1) / blocks}).transpose(0, 1);
}

/// Products of nb pairs of matrices, side by side: (nb, rows, i) (nb, i, o) -> (rows, nb o).
at::Tensor products(const at::Tensor& left, const at::Tensor& right) {
  if (c10::GradMode::is_enabled()) {  // a second derivative: autograd must see every step
    return at::bmm(left, right).transpose(0, 1).flatten(1);
  }
  const at::Tensor out = at::empty({left.size(1), left.size(0), right.size(2)}, left.options());
  at::Tensor by_matrix = out.transpose(0, 1);
  at::bmm_out(by_matrix, left, right);
  return out.flatten(1);
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class BlockLinear : public torch::autograd::Function<BlockLinear> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    ctx->save_for_backward({x, weight, value_or_undefined(bias)});
    const at::Tensor w = weight.to(x.scalar_type());
    at::Tensor y = products(by_block(x, w.size(0)), w.transpose(1, 2));
    if (bias) y.add_(bias->to(x.scalar_type()));
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const c10::DeviceGuard device(x.device());
    const std::int64_t blocks = weight.size(0);
    const at::Tensor dy = grad_outputs[0].contiguous();
    const at::ScalarType wide = wide_type(x);
    variable_list d(3);
    if (ctx->needs_input_grad(0)) {
      d[0] = products(by_block(dy, blocks), weight.to(x.scalar_type()));
    }
    if (ctx->needs_input_grad(1)) {
      const at::Tensor left = by_block(dy, blocks).transpose(1, 2);
      const at::Tensor right = by_block(x, blocks);
      // cuBLAS delivers its float32 sums; autograd does not know that form.
      const bool sums_wide = x.is_cuda() && x.scalar_type() != wide && !c10::GradMode::is_enabled();
      d[1] =
          (sums_wide ? at::bmm(left, right, wide) : at::bmm(left, right)).to(weight.scalar_type());
    }
    if (saved[2].defined() && ctx->needs_input_grad(2)) {
      d[2] = at::sum(dy, at::IntArrayRef{0}, /*keepdim=*/false, wide).to(weight.scalar_type());
    }
    return d;
  }
};

}  // namespace

at::Tensor block_linear(const at::Tensor& x, const at::Tensor& weight,
                        const std::optional<at::Tensor>& bias) {
  check(x, weight, bias);
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(x.device());
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0) * weight.size(1);
  return BlockLinear::apply(x.contiguous().view({-1, x.size(-1)}), weight, bias).view(shape);
}

}  // namespace longconv::ops
