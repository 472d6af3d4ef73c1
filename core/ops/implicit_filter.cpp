#define AT_PER_OPERATOR_HEADERS
#include "core/ops/implicit_filter.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/sin.h>
#include <ATen/record_function.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "implicit_filter";

/// (1, Lmax, X) or (Lmax, X) as its first `length` rows.
at::Tensor prefix(const at::Tensor& features, std::int64_t length, const char* argument) {
  const at::Tensor rows = features.defined() && features.dim() == 3 && features.size(0) == 1
                              ? features.squeeze(0)
                              : features;
  LONGCONV_CHECK(rows.defined() && rows.dim() == 2 && rows.size(0) >= length && length >= 1,
                 ShapeError, "{}: {} must be [1, Lmax, E] with Lmax >= {}, got {}", kOp, argument,
                 length, describe(features));
  return rows.narrow(0, 0, length);
}

void check(const ImplicitFilterInputs& in, std::int64_t length) {
  (void)prefix(in.z, length, "z");
  if (in.deltas) (void)prefix(in.t, length, "t");
  LONGCONV_CHECK(in.weights.size() >= 2 && in.biases.size() + 1 == in.weights.size(), ShapeError,
                 "{}: wants at least 2 weights and one bias fewer, got {} weights and {} biases",
                 kOp, in.weights.size(), in.biases.size());
  std::int64_t width = in.z.size(-1);
  for (std::size_t i = 0; i < in.weights.size(); ++i) {
    const at::Tensor& w = in.weights[i];
    LONGCONV_CHECK(w.defined() && w.dim() == 2 && w.size(1) == width, ShapeError,
                   "{}: weight {} must be [out, {}], got {}", kOp, i, width, describe(w));
    width = w.size(0);
    if (i < in.biases.size()) {
      expect_tensor(in.biases[i], kOp, "bias", {width}, w.scalar_type(), w.device(),
                    "to match weight " + std::to_string(i));
      LONGCONV_CHECK(in.freq.defined() && in.freq.numel() == width, ShapeError,
                     "{}: freq must have {} values, one a unit, got {}", kOp, width,
                     describe(in.freq));
    }
  }
  LONGCONV_CHECK(!in.deltas || in.deltas->numel() == width, ShapeError,
                 "{}: deltas must have {} values, one a channel, got {}", kOp, width,
                 describe(*in.deltas));
}

/// What the last row runs, on checked inputs. Autograd knows every step.
at::Tensor torch_filter(const ImplicitFilterInputs& in, std::int64_t length) {
  at::Tensor h = prefix(in.z, length, "z");
  const at::Tensor freq = in.freq.view({1, -1});
  for (std::size_t i = 0; i < in.biases.size(); ++i) {
    h = at::sin(at::mul(freq, at::linear(h, in.weights[i], in.biases[i])));
  }
  h = at::linear(h, in.weights.back());
  if (in.deltas) {
    const at::Tensor decay = at::abs(*in.deltas).view({1, -1});
    const at::Tensor window = at::exp(at::neg(at::mul(prefix(in.t, length, "t"), decay)));
    h = at::mul(h, in.shift == 0.0 ? window : at::add(window, in.shift));
  }
  if (in.normalized) {
    h = at::div(h, at::abs(h).sum(at::IntArrayRef{-1}, /*keepdim=*/true));
  }
  return h;
}

/// The tensors that get a gradient, and back: z, freq, weights, biases.
std::vector<at::Tensor> differentiable(const ImplicitFilterInputs& in) {
  std::vector<at::Tensor> all = {in.z, in.freq};
  all.insert(all.end(), in.weights.begin(), in.weights.end());
  all.insert(all.end(), in.biases.begin(), in.biases.end());
  return all;
}

/// `all` with, behind them, t and the deltas, as implicit_filter wants them.
ImplicitFilterInputs from_saved(const std::vector<at::Tensor>& all, double shift) {
  const auto layers = static_cast<std::ptrdiff_t>((all.size() - 5) / 2);
  ImplicitFilterInputs in;
  in.z = all[0];
  in.freq = all[1];
  in.weights.assign(all.begin() + 2, all.begin() + 3 + layers);
  in.biases.assign(all.begin() + 3 + layers, all.begin() + 3 + 2 * layers);
  in.t = all[all.size() - 2];
  if (all.back().defined()) in.deltas = all.back();
  in.shift = shift;
  return in;
}

/// With every tensor contiguous: what to_args() points into.
ImplicitFilterInputs contiguous(ImplicitFilterInputs in) {
  in.z = in.z.contiguous();
  in.freq = in.freq.contiguous();
  for (at::Tensor& w : in.weights) w = w.contiguous();
  for (at::Tensor& b : in.biases) b = b.contiguous();
  if (in.deltas) {
    in.t = in.t.contiguous();
    in.deltas = in.deltas->contiguous();
  }
  return in;
}

kernels::ImplicitFilterArgs to_args(const ImplicitFilterInputs& in) {
  kernels::ImplicitFilterArgs a;
  a.z = in.z.const_data_ptr<float>();
  a.freq = in.freq.const_data_ptr<float>();
  for (std::size_t i = 0; i < in.weights.size(); ++i) {
    a.weights[i] = in.weights[i].const_data_ptr<float>();
  }
  for (std::size_t i = 0; i < in.biases.size(); ++i) {
    a.biases[i] = in.biases[i].const_data_ptr<float>();
  }
  if (in.deltas) {
    a.tau = in.t.const_data_ptr<float>();
    a.deltas = in.deltas->const_data_ptr<float>();
  }
  a.shift = static_cast<float>(in.shift);
  a.length = in.z.size(0);
  a.features = in.z.size(1);
  a.width = in.weights[0].size(0);
  a.layers = static_cast<std::int64_t>(in.biases.size());
  a.channels = in.weights.back().size(0);
  return a;
}

/// dh (D, L); the gradients of differentiable(in), undefined where not wanted.
std::vector<at::Tensor> kernel_backward(const kernels::ImplicitFilterVariant& variant,
                                        const ImplicitFilterInputs& any, const at::Tensor& dh,
                                        const std::vector<bool>& wanted) {
  const ImplicitFilterInputs in = contiguous(any);
  const at::Tensor dh_rows = dh.contiguous();
  const std::vector<at::Tensor> parameters = differentiable(in);
  std::vector<at::Tensor> d(parameters.size());
  const auto output = [&](std::size_t i) -> float* {
    if (!wanted[i]) return nullptr;
    d[i] = at::empty(parameters[i].sizes(), parameters[i].options());
    return d[i].mutable_data_ptr<float>();
  };
  kernels::ImplicitFilterGradArgs args;
  args.inputs = to_args(in);
  args.dh = dh_rows.const_data_ptr<float>();
  std::size_t next = 0;
  args.dz = output(next++);
  args.dfreq = output(next++);
  for (std::size_t i = 0; i < in.weights.size(); ++i) args.dweights[i] = output(next++);
  for (std::size_t i = 0; i < in.biases.size(); ++i) args.dbiases[i] = output(next++);
  const at::Tensor workspace =
      at::empty({variant.backward_workspace_bytes(args)}, in.z.options().dtype(at::kByte));
  args.workspace = workspace.mutable_data_ptr();
  variant.backward(args, stream_of(in.z));
  return d;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ImplicitFilterFunction : public torch::autograd::Function<ImplicitFilterFunction> {
 public:
  /// (D, L). `parameters` are differentiable(in).
  static at::Tensor forward(AutogradContext* ctx, at::TensorList parameters,
                            const ImplicitFilterInputs& in, const ImplicitFilterRow* row) {
    variable_list saved = parameters.vec();
    saved.push_back(in.deltas ? in.t : at::Tensor());
    saved.push_back(value_or_undefined(in.deltas));
    ctx->save_for_backward(saved);
    ctx->saved_data["shift"] = in.shift;
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - implicit_filter_rows().data());
    const ImplicitFilterInputs x = contiguous(in);
    kernels::ImplicitFilterArgs args = to_args(x);
    const at::Tensor h = at::empty({args.channels, args.length}, x.z.options());
    args.h = h.mutable_data_ptr<float>();
    row->variant->forward(args, stream_of(x.z));
    return h;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const c10::DeviceGuard device(saved[0].device());
    const ImplicitFilterInputs in = from_saved(saved, ctx->saved_data["shift"].toDouble());
    const std::size_t count = saved.size() - 2;
    std::vector<bool> wanted(count);
    for (std::size_t i = 0; i < count; ++i) wanted[i] = ctx->needs_input_grad(i);
    variable_list d;
    if (c10::GradMode::is_enabled()) {
      d = torch_backward(in, grad_outputs[0], wanted);
    } else {
      const ImplicitFilterRow& row =
          implicit_filter_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())];
      d = kernel_backward(*row.variant, in, grad_outputs[0], wanted);
    }
    d.resize(count + 2);  // none for the two arguments that are no tensors
    return d;
  }

 private:
  /// As part of the graph, by LibTorch's operators: for derivatives of the derivative.
  static variable_list torch_backward(const ImplicitFilterInputs& in, const at::Tensor& dh,
                                      const std::vector<bool>& wanted) {
    const std::vector<at::Tensor> all = differentiable(in);
    variable_list leaves;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (wanted[i]) leaves.push_back(all[i]);
    }
    const variable_list some =
        torch::autograd::grad({torch_filter(in, in.z.size(0)).t()}, leaves, {dh},
                              /*retain_graph=*/true, /*create_graph=*/true);
    variable_list d(all.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (wanted[i]) d[i] = some[next++];
    }
    return d;
  }
};

at::Tensor run(const ImplicitFilterRow& row, const ImplicitFilterInputs& in, std::int64_t length) {
  RECORD_FUNCTION("longconv::implicit_filter", c10::ArrayRef<const c10::IValue>{});
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(in.z.device());
  if (row.variant == nullptr) return torch_filter(in, length);
  ImplicitFilterInputs x = in;
  x.z = prefix(in.z, length, "z");
  x.freq = in.freq.view({-1});
  if (in.deltas) x.t = prefix(in.t, length, "t");
  return ImplicitFilterFunction::apply(at::TensorList(differentiable(x)), x, &row).t();
}

}  // namespace

bool ImplicitFilterRow::takes(const ImplicitFilterInputs& in) const {
  if (variant == nullptr) return true;
  const auto fits = [&](const at::Tensor& x) {
    return x.scalar_type() == at::kFloat && x.device() == in.z.device();
  };
  const std::vector<at::Tensor> all = differentiable(in);
  const bool window_fits = !in.deltas || (fits(in.t) && fits(*in.deltas) && !in.t.requires_grad() &&
                                          !in.deltas->requires_grad());
  return device_of(in.z, kOp) == variant->device && std::all_of(all.begin(), all.end(), fits) &&
         window_fits && !in.normalized && in.z.size(-1) <= variant->max_features &&
         in.freq.numel() <= variant->max_width &&
         static_cast<std::int64_t>(in.biases.size()) <= variant->max_layers;
}

std::span<const ImplicitFilterRow> implicit_filter_rows() {
  static const std::vector<ImplicitFilterRow> rows = [] {
    std::vector<ImplicitFilterRow> all;
    for (const kernels::ImplicitFilterVariant& variant : kernels::implicit_filter_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch_mlp", nullptr});
    return all;
  }();
  return rows;
}

at::Tensor implicit_filter(const ImplicitFilterInputs& in, std::int64_t length) {
  check(in, length);
  const auto rows = implicit_filter_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const ImplicitFilterRow& r) {
    return r.takes(in);
  });  // the last takes everything
  return run(*row, in, length);
}

at::Tensor implicit_filter_with(const ImplicitFilterRow& row, const ImplicitFilterInputs& in,
                                std::int64_t length) {
  check(in, length);
  LONGCONV_CHECK(row.takes(in), UnsupportedError, "{}: row {} does not take z {}", kOp, row.name,
                 describe(in.z));
  return run(row, in, length);
}

}  // namespace longconv::ops
