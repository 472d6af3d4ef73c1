#define AT_PER_OPERATOR_HEADERS
#include "core/ops/transposed_linear.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "transposed_linear";

void check(const at::Tensor& v, const at::Tensor& weight, const at::Tensor& bias) {
  LONGCONV_CHECK(v.defined() && v.dim() == 3 && v.numel() > 0, ShapeError,
                 "{}: v must be [B, D, L], none of them 0, got {}", kOp, describe(v));
  (void)dtype_of(v, kOp, "v");
  LONGCONV_CHECK(weight.defined() && weight.dim() == 2 && weight.size(1) == v.size(1) &&
                     weight.device() == v.device(),
                 ShapeError, "{}: weight must be [O, D] = [O, {}] to match v {}, got {}", kOp,
                 v.size(1), describe(v), describe(weight));
  expect_tensor(bias, kOp, "bias", {weight.size(0)}, weight.scalar_type(), v.device(),
                "to match weight " + describe(weight));
}

/// W for each sequence: one matrix, read again and again.
at::Tensor expanded(const at::Tensor& weight, std::int64_t batch) {
  return weight.unsqueeze(0).expand({batch, -1, -1});
}

/// sum_b dy[b]^T v[b]^T, (O, D) in `type`.
at::Tensor weight_gradient(const at::Tensor& v, const at::Tensor& dy, at::ScalarType type) {
  const at::ScalarType wide = wide_type(v);
  // cuBLAS delivers its float32 sums; autograd does not know that form.
  const bool sums_wide = v.is_cuda() && v.scalar_type() != wide && !c10::GradMode::is_enabled();
  // Either one sum over (b, t), for which v is copied channels last, or a product for each
  // sequence, added up afterwards: whichever moves fewer bytes.
  const auto copied = static_cast<std::size_t>(v.size(2)) * v.element_size();
  if (copied < static_cast<std::size_t>(dy.size(2)) * c10::elementSize(wide)) {
    const at::Tensor left = dy.flatten(0, 1).t();
    const at::Tensor right = v.transpose(1, 2).reshape({-1, v.size(1)});
    return (sums_wide ? at::mm(left, right, wide) : at::mm(left, right)).to(type);
  }
  const at::Tensor left = dy.transpose(1, 2);
  const at::Tensor right = v.transpose(1, 2);
  const at::Tensor products =
      sums_wide ? at::bmm(left, right, wide) : at::bmm(left, right).to(wide);
  return products.sum(at::IntArrayRef{0}).to(type);
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class TransposedLinear : public torch::autograd::Function<TransposedLinear> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& v, const at::Tensor& weight,
                            const at::Tensor& bias) {
    ctx->save_for_backward({v, weight});
    const at::ScalarType type = v.scalar_type();
    return at::baddbmm(bias.to(type), v.transpose(1, 2),
                       expanded(weight.to(type), v.size(0)).transpose(1, 2));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& v = saved[0];
    const at::Tensor& weight = saved[1];
    const c10::DeviceGuard device(v.device());
    const at::Tensor dy = grad_outputs[0].contiguous();
    variable_list d(3);
    if (ctx->needs_input_grad(0)) {
      d[0] = at::bmm(expanded(weight.to(v.scalar_type()), v.size(0)).transpose(1, 2),
                     dy.transpose(1, 2));
    }
    if (ctx->needs_input_grad(1)) {
      d[1] = weight_gradient(v, dy, weight.scalar_type());
    }
    if (ctx->needs_input_grad(2)) {
      d[2] = at::sum(dy, at::IntArrayRef{0, 1}, /*keepdim=*/false, wide_type(v))
                 .to(weight.scalar_type());
    }
    return d;
  }
};

}  // namespace

at::Tensor transposed_linear(const at::Tensor& v, const at::Tensor& weight,
                             const at::Tensor& bias) {
  check(v, weight, bias);
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(v.device());
  return TransposedLinear::apply(v.contiguous(), weight, bias);
}

}  // namespace longconv::ops
