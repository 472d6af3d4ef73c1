#define AT_PER_OPERATOR_HEADERS
#include "core/ops/short_conv.h"

#include "core/base/check.h"
#include "core/ops/short_conv_torch.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "short_conv";

void check(const at::Tensor& u, const at::Tensor& w, const std::optional<at::Tensor>& bias) {
  LONGCONV_CHECK(u.defined() && u.dim() == 3 && u.numel() > 0, ShapeError,
                 "{}: u must be [B, C, L], none of them 0, got {}", kOp, describe(u));
  (void)dtype_of(u, kOp, "u");
  const bool matches = w.defined() && w.dim() == 2 && w.size(0) == u.size(1) && w.size(1) >= 1 &&
                       w.size(1) <= kernels::kMaxShortTaps && w.scalar_type() == wide_type(u) &&
                       w.device() == u.device();
  LONGCONV_CHECK(matches, ShapeError,
                 "{}: w must be [C, K] = [{}, 1..{}] in {} to match u {}, got {}", kOp, u.size(1),
                 kernels::kMaxShortTaps, wide_type(u) == at::kDouble ? "float64" : "float32",
                 describe(u), describe(w));
  if (bias) {
    expect_tensor(*bias, kOp, "bias", {u.size(1)}, w.scalar_type(), u.device(),
                  "to match w " + describe(w));
  }
}

/// Whether (B, C, L) `u` is a transposed view of a dense (B, L, C).
bool channels_last(const at::Tensor& u) {
  return !u.is_contiguous() && u.transpose(1, 2).is_contiguous();
}

/// The two layouts the kernels read and write.
at::Tensor with_kernel_layout(const at::Tensor& u) { return channels_last(u) ? u : u.contiguous(); }

kernels::ShortConvArgs to_args(const at::Tensor& u, const at::Tensor& w, const at::Tensor& bias) {
  kernels::ShortConvArgs a;
  a.u = u.const_data_ptr();
  a.w = w.const_data_ptr();
  a.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
  a.u_batch_stride = u.stride(0);
  // A stride of a dimension of size 1 says nothing: name the layout.
  a.u_channel_stride = channels_last(u) ? 1 : u.size(2);
  a.u_time_stride = channels_last(u) ? u.size(1) : 1;
  a.batch = u.size(0);
  a.channels = u.size(1);
  a.length = u.size(2);
  a.taps = w.size(1);
  a.dtype = dtype_of(u, kOp, "u");
  return a;
}

using Gradients = ShortConvGradients;
using Wanted = ShortConvWanted;

at::Tensor kernel_forward(const kernels::ShortConvVariant& variant, const at::Tensor& u_any,
                          const at::Tensor& w_any, const at::Tensor& bias_any) {
  const at::Tensor u = with_kernel_layout(u_any);
  const at::Tensor w = w_any.contiguous();
  const at::Tensor bias = bias_any.defined() ? bias_any.contiguous() : bias_any;
  at::Tensor y = at::empty(u.sizes(), u.options().memory_format(at::MemoryFormat::Contiguous));
  kernels::ShortConvArgs args = to_args(u, w, bias);
  args.y = y.mutable_data_ptr();
  variant.forward(args, stream_of(u));
  return y;
}

Gradients kernel_backward(const kernels::ShortConvVariant& variant, const at::Tensor& u_any,
                          const at::Tensor& w_any, const at::Tensor& bias_any,
                          const at::Tensor& dy_any, const Wanted& wanted) {
  const at::Tensor u = with_kernel_layout(u_any);
  const at::Tensor w = w_any.contiguous();
  const at::Tensor dy = dy_any.contiguous();
  const bool dbias = wanted.bias && bias_any.defined();
  Gradients d;
  kernels::ShortConvGradArgs args;
  args.inputs = to_args(u, w, at::Tensor());
  args.dy = dy.const_data_ptr();
  if (wanted.u) {
    d.u = channels_last(u)
              ? at::empty({u.size(0), u.size(2), u.size(1)}, u.options()).transpose(1, 2)
              : at::empty(u.sizes(), u.options());
    args.du = d.u.mutable_data_ptr();
  }
  if (wanted.w) {
    d.w = at::empty(w.sizes(), w.options());
    args.dw = d.w.mutable_data_ptr();
  }
  if (dbias) {
    d.bias = at::empty(bias_any.sizes(), w.options());
    args.dbias = d.bias.mutable_data_ptr();
  }
  at::Tensor workspace;
  const std::int64_t bytes = wanted.w || dbias ? variant.backward_workspace_bytes(args.inputs) : 0;
  if (bytes > 0) {
    workspace = at::empty({bytes}, u.options().dtype(at::kByte));
    args.workspace = workspace.mutable_data_ptr();
  }
  variant.backward(args, stream_of(u));
  return d;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ShortConvFunction : public torch::autograd::Function<ShortConvFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, const at::Tensor& w,
                            const std::optional<at::Tensor>& bias, const ShortConvRow* row) {
    const at::Tensor bias_tensor = value_or_undefined(bias);
    ctx->save_for_backward({u, w, bias_tensor});
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - short_conv_rows().data());
    return row->variant != nullptr ? kernel_forward(*row->variant, u, w, bias_tensor)
                                   : torch_short_conv(u, w, bias_tensor);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const c10::DeviceGuard device(saved[0].device());
    const ShortConvRow& row =
        short_conv_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())];
    Wanted wanted;
    wanted.u = ctx->needs_input_grad(0);
    wanted.w = ctx->needs_input_grad(1);
    wanted.bias = saved[2].defined() && ctx->needs_input_grad(2);
    const bool use_kernel = row.variant != nullptr && !c10::GradMode::is_enabled();
    Gradients d =
        use_kernel
            ? kernel_backward(*row.variant, saved[0], saved[1], saved[2], grad_outputs[0], wanted)
            : torch_short_conv_backward(saved[0], saved[1], saved[2], grad_outputs[0], wanted);
    return {d.u, d.w, d.bias, at::Tensor()};
  }
};

at::Tensor run(const ShortConvRow& row, const at::Tensor& u, const at::Tensor& w,
               const std::optional<at::Tensor>& bias) {
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(u.device());
  return ShortConvFunction::apply(u, w, bias, &row);
}

}  // namespace

bool ShortConvRow::takes(Device device, Dtype dtype) const {
  return variant == nullptr || (variant->device == device && variant->dtype == dtype);
}

std::span<const ShortConvRow> short_conv_rows() {
  static const std::vector<ShortConvRow> rows = [] {
    std::vector<ShortConvRow> all;
    for (const kernels::ShortConvVariant& variant : kernels::short_conv_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch_conv1d", nullptr});
    return all;
  }();
  return rows;
}

at::Tensor short_conv(const at::Tensor& u, const at::Tensor& w,
                      const std::optional<at::Tensor>& bias) {
  check(u, w, bias);
  const Device device = device_of(u, kOp);
  const Dtype dtype = dtype_of(u, kOp, "u");
  for (const ShortConvRow& row : short_conv_rows()) {
    if (row.takes(device, dtype)) {
      return run(row, u, w, bias);
    }
  }
  throw UnsupportedError("short_conv: its table has no row torch_conv1d");  // rows end with it
}

at::Tensor short_conv_with(const ShortConvRow& row, const at::Tensor& u, const at::Tensor& w,
                           const std::optional<at::Tensor>& bias) {
  check(u, w, bias);
  LONGCONV_CHECK(row.takes(device_of(u, kOp), dtype_of(u, kOp, "u")), UnsupportedError,
                 "{}: row {} does not take u {}", kOp, row.name, describe(u));
  return run(row, u, w, bias);
}

}  // namespace longconv::ops
