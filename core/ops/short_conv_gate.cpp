#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv_gate.h"

#include "core/base/check.h"
#include "core/ops/short_conv_torch.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "short_conv_gate";

void check(const at::Tensor& p, const at::Tensor& w, const std::optional<at::Tensor>& bias,
           std::int64_t order) {
  LONGCONV_CHECK(order >= 1, ShapeError, "{}: order must be at least 1, got {}", kOp, order);
  LONGCONV_CHECK(p.defined() && p.dim() == 3 && p.numel() > 0 && p.size(2) % (order + 1) == 0,
                 ShapeError, "{}: p must be [B, L, {} D], none of them 0, got {}", kOp, order + 1,
                 describe(p));
  (void)dtype_of(p, kOp, "p");
  const bool matches = w.defined() && w.dim() == 2 && w.size(0) == p.size(2) && w.size(1) >= 1 &&
                       w.size(1) <= kernels::kMaxShortTaps && w.scalar_type() == wide_type(p) &&
                       w.device() == p.device();
  LONGCONV_CHECK(matches, ShapeError,
                 "{}: w must be [C, K] = [{}, 1..{}] in {} to match p {}, got {}", kOp, p.size(2),
                 kernels::kMaxShortTaps, wide_type(p) == at::kDouble ? "float64" : "float32",
                 describe(p), describe(w));
  if (bias) {
    expect_tensor(*bias, kOp, "bias", {p.size(2)}, w.scalar_type(), p.device(),
                  "to match w " + describe(w));
  }
}

/// Checked inputs, as saved for the backward.
struct Problem {
  at::Tensor p, w, bias;  ///< bias undefined: none
  std::int64_t order = 2;
  [[nodiscard]] std::int64_t channels() const { return p.size(2) / (order + 1); }
  [[nodiscard]] std::int64_t gate_channels() const { return (order - 1) * channels(); }
};

struct Gradients {
  at::Tensor p, w, bias;
};

Problem contiguous(const Problem& x) {
  return {x.p.contiguous(), x.w.contiguous(), x.bias.defined() ? x.bias.contiguous() : x.bias,
          x.order};
}

kernels::ShortConvGateArgs to_args(const Problem& x) {
  kernels::ShortConvGateArgs a;
  a.p = x.p.const_data_ptr();
  a.w = x.w.const_data_ptr();
  a.bias = x.bias.defined() ? x.bias.const_data_ptr() : nullptr;
  a.batch = x.p.size(0);
  a.channels = x.channels();
  a.order = x.order;
  a.length = x.p.size(1);
  a.taps = x.w.size(1);
  a.dtype = dtype_of(x.p, kOp, "p");
  return a;
}

GatedParts kernel_forward(const kernels::ShortConvGateVariant& variant, const Problem& any) {
  const Problem x = contiguous(any);
  GatedParts out;
  out.gates = at::empty({x.p.size(0), x.gate_channels(), x.p.size(1)}, x.p.options());
  out.product = at::empty({x.p.size(0), x.channels(), x.p.size(1)}, x.p.options());
  kernels::ShortConvGateArgs args = to_args(x);
  args.gates = out.gates.mutable_data_ptr();
  args.product = out.product.mutable_data_ptr();
  variant.forward(args, stream_of(x.p));
  return out;
}

Gradients kernel_backward(const kernels::ShortConvGateVariant& variant, const Problem& any,
                          const GatedParts& d_any, const ShortConvWanted& wanted) {
  const Problem x = contiguous(any);
  const GatedParts dy = {d_any.gates.contiguous(), d_any.product.contiguous()};
  Gradients d;
  kernels::ShortConvGateGradArgs args;
  args.inputs = to_args(x);
  args.dgates = dy.gates.const_data_ptr();
  args.dproduct = dy.product.const_data_ptr();
  if (wanted.u) {
    d.p = at::empty(x.p.sizes(), x.p.options());
    args.dp = d.p.mutable_data_ptr();
  }
  if (wanted.w) {
    d.w = at::empty(x.w.sizes(), x.w.options());
    args.dw = d.w.mutable_data_ptr();
  }
  if (wanted.bias) {
    d.bias = at::empty({x.p.size(2)}, x.w.options());
    args.dbias = d.bias.mutable_data_ptr();
  }
  at::Tensor workspace;
  const std::int64_t bytes =
      wanted.w || wanted.bias ? variant.backward_workspace_bytes(args.inputs) : 0;
  if (bytes > 0) {
    workspace = at::empty({bytes}, x.p.options().dtype(at::kByte));
    args.workspace = workspace.mutable_data_ptr();
  }
  variant.backward(args, stream_of(x.p));
  return d;
}

/// s (B, C, L) in float32 or wider: the gate's factors are not rounded to p's dtype.
at::Tensor wide_convolution(const Problem& x) {
  return torch_short_conv(x.p.transpose(1, 2).to(wide_type(x.p)), x.w, x.bias);
}

GatedParts torch_forward(const Problem& x) {
  const at::Tensor s = wide_convolution(x);
  const at::ScalarType type = x.p.scalar_type();
  const std::int64_t first = x.gate_channels();
  return {s.narrow(1, 0, first).to(type).contiguous(),
          at::mul(s.narrow(1, first, x.channels()), s.narrow(1, first + x.channels(), x.channels()))
              .to(type)};
}

/// Every step is one that autograd knows.
Gradients torch_backward(const Problem& x, const GatedParts& dy, const ShortConvWanted& wanted) {
  const at::ScalarType wide = wide_type(x.p);
  const at::Tensor s = wide_convolution(x);
  const at::Tensor last = s.narrow(1, x.gate_channels(), x.channels());
  const at::Tensor v = s.narrow(1, x.gate_channels() + x.channels(), x.channels());
  const at::Tensor dproduct = dy.product.to(wide);
  const at::Tensor ds =
      at::cat({dy.gates.to(wide), at::mul(dproduct, v), at::mul(dproduct, last)}, 1);
  ShortConvGradients d = torch_short_conv_backward(x.p.transpose(1, 2), x.w, x.bias, ds, wanted);
  return {d.u.defined() ? d.u.transpose(1, 2) : d.u, d.w, d.bias};
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ShortConvGateFunction : public torch::autograd::Function<ShortConvGateFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& p, const at::Tensor& w,
                               const std::optional<at::Tensor>& bias, std::int64_t order,
                               const ShortConvGateRow* row) {
    const Problem x = {p, w, value_or_undefined(bias), order};
    ctx->save_for_backward({x.p, x.w, x.bias});
    ctx->saved_data["order"] = order;
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - short_conv_gate_rows().data());
    const GatedParts out =
        row->variant != nullptr ? kernel_forward(*row->variant, x) : torch_forward(x);
    return {out.gates, out.product};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const Problem x = {saved[0], saved[1], saved[2], ctx->saved_data["order"].toInt()};
    const c10::DeviceGuard device(x.p.device());
    const ShortConvGateRow& row =
        short_conv_gate_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())];
    ShortConvWanted wanted;
    wanted.u = ctx->needs_input_grad(0);
    wanted.w = ctx->needs_input_grad(1);
    wanted.bias = x.bias.defined() && ctx->needs_input_grad(2);
    const auto or_zeros = [&](const at::Tensor& d, std::int64_t channels) {
      return d.defined() ? d : at::zeros({x.p.size(0), channels, x.p.size(1)}, x.p.options());
    };
    const GatedParts dy = {or_zeros(grad_outputs[0], x.gate_channels()),
                           or_zeros(grad_outputs[1], x.channels())};
    const bool use_kernel = row.variant != nullptr && !c10::GradMode::is_enabled();
    Gradients d =
        use_kernel ? kernel_backward(*row.variant, x, dy, wanted) : torch_backward(x, dy, wanted);
    return {d.p, d.w, d.bias, at::Tensor(), at::Tensor()};
  }
};

GatedParts run(const ShortConvGateRow& row, const at::Tensor& p, const at::Tensor& w,
               const std::optional<at::Tensor>& bias, std::int64_t order) {
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(p.device());
  const variable_list out = ShortConvGateFunction::apply(p, w, bias, order, &row);
  return {out[0], out[1]};
}

}  // namespace

bool ShortConvGateRow::takes(Device device, Dtype dtype) const {
  return variant == nullptr || (variant->device == device && variant->dtype == dtype);
}

std::span<const ShortConvGateRow> short_conv_gate_rows() {
  static const std::vector<ShortConvGateRow> rows = [] {
    std::vector<ShortConvGateRow> all;
    for (const kernels::ShortConvGateVariant& variant : kernels::short_conv_gate_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch_conv1d", nullptr});
    return all;
  }();
  return rows;
}

GatedParts short_conv_gate(const at::Tensor& p, const at::Tensor& w,
                           const std::optional<at::Tensor>& bias, std::int64_t order) {
  check(p, w, bias, order);
  const Device device = device_of(p, kOp);
  const Dtype dtype = dtype_of(p, kOp, "p");
  const auto rows = short_conv_gate_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const ShortConvGateRow& r) {
    return r.takes(device, dtype);
  });  // the last takes everything
  return run(*row, p, w, bias, order);
}

GatedParts short_conv_gate_with(const ShortConvGateRow& row, const at::Tensor& p,
                                const at::Tensor& w, const std::optional<at::Tensor>& bias,
                                std::int64_t order) {
  check(p, w, bias, order);
  LONGCONV_CHECK(row.takes(device_of(p, kOp), dtype_of(p, kOp, "p")), UnsupportedError,
                 "{}: row {} does not take p {}", kOp, row.name, describe(p));
  return run(row, p, w, bias, order);
}

}  // namespace longconv::ops
