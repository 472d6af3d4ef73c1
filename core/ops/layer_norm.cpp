#define AT_PER_OPERATOR_HEADERS
#include "core/ops/layer_norm.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "layer_norm";

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
           at::ScalarType delivered) {
  LONGCONV_CHECK(x.defined() && x.dim() >= 1 && x.size(-1) > 0 &&
                     (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble),
                 ShapeError, "{}: x must be [.., D] in float32 or float64, got {}", kOp,
                 describe(x));
  for (const auto& [name, tensor] : {std::pair{"weight", weight}, std::pair{"bias", bias}}) {
    expect_tensor(tensor, kOp, name, {x.size(-1)}, x.scalar_type(), x.device(),
                  "to match x " + describe(x));
  }
  LONGCONV_CHECK(at::isFloatingType(delivered), ShapeError,
                 "{}: delivers floating dtypes only, got {}", kOp, at::toString(delivered));
}

at::Tensor torch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps, at::ScalarType delivered) {
  return at::layer_norm(x, weight.sizes(), weight, bias, eps).to(delivered);
}

/// Contiguous, and where four values may be read at once.
at::Tensor by_fours(const at::Tensor& any) {
  const at::Tensor x = any.contiguous();
  return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0 ? x : x.clone();
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LayerNormFunction : public torch::autograd::Function<LayerNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& any, const at::Tensor& weight,
                            const at::Tensor& bias, double eps, at::ScalarType delivered,
                            const LayerNormRow* row) {
    const at::Tensor x = by_fours(any);
    const at::Tensor w = by_fours(weight);
    const at::Tensor b = by_fours(bias);
    const at::Tensor y = at::empty(x.sizes(), x.options().dtype(delivered));
    kernels::LayerNormArgs args = to_args(x, w, eps);
    const at::Tensor statistics = at::empty({2, args.rows}, x.options());
    set_statistics(args, statistics);
    args.bias = b.const_data_ptr<float>();
    args.y = y.mutable_data_ptr();
    args.dtype = dtype_of(y, kOp, "y");
    row->variant->forward(args, stream_of(x));
    ctx->save_for_backward({any, weight, bias, statistics});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - layer_norm_rows().data());
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const c10::DeviceGuard device(saved[0].device());
    const double eps = ctx->saved_data["eps"].toDouble();
    variable_list d(6);
    if (c10::GradMode::is_enabled()) {  // as part of the graph: for derivatives of the derivative
      const at::Tensor y =
          torch_norm(saved[0], saved[1], saved[2], eps, grad_outputs[0].scalar_type());
      variable_list wanted;
      for (std::size_t i = 0; i < 3; ++i) {
        if (ctx->needs_input_grad(i)) wanted.push_back(saved[i]);
      }
      const variable_list some = torch::autograd::grad({y}, wanted, {grad_outputs[0]},
                                                       /*retain_graph=*/true,
                                                       /*create_graph=*/true);
      std::size_t next = 0;
      for (std::size_t i = 0; i < 3; ++i) {
        if (ctx->needs_input_grad(i)) d[i] = some[next++];
      }
      return d;
    }
    const LayerNormRow& row =
        layer_norm_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())];
    const at::Tensor x = by_fours(saved[0]);
    const at::Tensor w = by_fours(saved[1]);
    const at::Tensor dy = by_fours(grad_outputs[0]);
    kernels::LayerNormGradArgs args;
    args.inputs = to_args(x, w, eps);
    set_statistics(args.inputs, saved[3]);
    args.inputs.dtype = dtype_of(dy, kOp, "dy");
    args.dy = dy.const_data_ptr();
    float** const outputs[] = {&args.dx, &args.dweight, &args.dbias};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!ctx->needs_input_grad(i)) continue;
      d[i] = at::empty(saved[i].sizes(), x.options());
      *outputs[i] = d[i].mutable_data_ptr<float>();
    }
    const at::Tensor workspace = at::empty({row.variant->backward_workspace_bytes(args.inputs)},
                                           x.options().dtype(at::kByte));
    args.workspace = workspace.mutable_data_ptr();
    row.variant->backward(args, stream_of(x));
    return d;
  }

 private:
  static kernels::LayerNormArgs to_args(const at::Tensor& x, const at::Tensor& weight, double eps) {
    kernels::LayerNormArgs a;
    a.x = x.const_data_ptr<float>();
    a.weight = weight.const_data_ptr<float>();
    a.channels = x.size(-1);
    a.rows = x.numel() / a.channels;
    a.eps = eps;
    return a;
  }
  static void set_statistics(kernels::LayerNormArgs& a, const at::Tensor& statistics) {
    a.mean = statistics.mutable_data_ptr<float>();
    a.scale = a.mean + a.rows;
  }
};

at::Tensor run(const LayerNormRow& row, const at::Tensor& x, const at::Tensor& weight,
               const at::Tensor& bias, double eps, at::ScalarType delivered) {
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(x.device());
  return row.variant == nullptr ? torch_norm(x, weight, bias, eps, delivered)
                                : LayerNormFunction::apply(x, weight, bias, eps, delivered, &row);
}

}  // namespace

bool LayerNormRow::takes(const at::Tensor& x, at::ScalarType delivered) const {
  if (variant == nullptr) return true;
  const auto type = variant->dtype == Dtype::f32    ? at::kFloat
                    : variant->dtype == Dtype::bf16 ? at::kBFloat16
                                                    : at::kHalf;
  return device_of(x, kOp) == variant->device && x.scalar_type() == at::kFloat &&
         delivered == type && x.size(-1) % 4 == 0 && x.size(-1) <= variant->max_channels &&
         x.numel() > 0;
}

std::span<const LayerNormRow> layer_norm_rows() {
  static const std::vector<LayerNormRow> rows = [] {
    std::vector<LayerNormRow> all;
    for (const kernels::LayerNormVariant& variant : kernels::layer_norm_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch", nullptr});
    return all;
  }();
  return rows;
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps, at::ScalarType delivered) {
  check(x, weight, bias, delivered);
  const auto rows = layer_norm_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const LayerNormRow& r) {
    return r.takes(x, delivered);
  });  // the last takes everything
  return run(*row, x, weight, bias, eps, delivered);
}

at::Tensor layer_norm_with(const LayerNormRow& row, const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, at::ScalarType delivered) {
  check(x, weight, bias, delivered);
  LONGCONV_CHECK(row.takes(x, delivered), UnsupportedError, "{}: row {} does not take x {}", kOp,
                 row.name, describe(x));
  return run(row, x, weight, bias, eps, delivered);
}

}  // namespace longconv::ops
