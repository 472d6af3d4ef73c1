#define AT_PER_OPERATOR_HEADERS
#include "core/ops/long_conv.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/ops/long_conv_fft.h"
#include "core/ops/tensor_access.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <atomic>
#include <functional>
#include <vector>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "long_conv";
using fft::Gradients;
using fft::Problem;
using fft::Wanted;

// ---- checks ------------------------------------------------------------------------------------

bool two_sided(ConvMode mode) {
  return mode == ConvMode::bidirectional || mode == ConvMode::conjugate;
}

void check_filter(const LongConvInputs& in, const at::Tensor& filter, const char* argument) {
  const bool several = in.k.dim() == 3;
  const std::int64_t channels = in.u.size(1);
  const bool matches = filter.dim() == in.k.dim() && filter.size(-2) == channels &&
                       filter.size(-1) >= 1 && filter.size(0) == in.k.size(0) &&
                       filter.scalar_type() == wide_type(in.u) && filter.device() == in.u.device();
  LONGCONV_CHECK(
      matches, ShapeError, "{}: {} must be {} = [{}{}, K >= 1] in {} to match u {}, got {}", kOp,
      argument, several ? "[C, H, K]" : "[H, K]",
      several ? std::to_string(in.k.size(0)) + ", " : std::string(), channels,
      wide_type(in.u) == at::kDouble ? "float64" : "float32", describe(in.u), describe(filter));
}

void check(const LongConvInputs& in, ConvMode mode) {
  LONGCONV_CHECK(in.u.defined() && in.u.dim() == 3 && in.u.numel() > 0, ShapeError,
                 "{}: u must be [B, H, L], none of them 0, got {}", kOp, describe(in.u));
  (void)dtype_of(in.u, kOp, "u");
  LONGCONV_CHECK(in.k.defined() && (in.k.dim() == 2 || in.k.dim() == 3), ShapeError,
                 "{}: k must be [H, K] or [C, H, K] to match u {}, got {}", kOp, describe(in.u),
                 describe(in.k));
  check_filter(in, in.k, "k");
  LONGCONV_CHECK(two_sided(mode) == in.k_reverse.has_value(), ShapeError, "{}: k_reverse {}", kOp,
                 two_sided(mode) ? "is missing: bidirectional and conjugate filters need one"
                                 : "was given, but causal and circular filters take none");
  if (in.k_reverse) {
    check_filter(in, *in.k_reverse, "k_reverse");
  }
  LONGCONV_CHECK(mode != ConvMode::circular || in.k.size(-1) <= in.u.size(2), ShapeError,
                 "{}: a circular filter may have at most L = {} taps, got k {}", kOp, in.u.size(2),
                 describe(in.k));
  if (in.skip) {
    expect_tensor(*in.skip, kOp, "skip", in.k.sizes().slice(0, in.k.dim() - 1), in.k.scalar_type(),
                  in.u.device(), "to match k " + describe(in.k));
  }
  const auto check_gate = [&](const std::optional<at::Tensor>& gate, const char* argument) {
    if (gate) {
      expect_tensor(*gate, kOp, argument, in.u.sizes(), in.u.scalar_type(), in.u.device(),
                    "to match u");
    }
  };
  check_gate(in.gate_in, "gate_in");
  check_gate(in.gate_out, "gate_out");
}

Problem to_problem(const LongConvInputs& in, ConvMode mode) {
  const auto lifted = [&](const at::Tensor& t) {
    return t.defined() && in.k.dim() == 2 ? t.unsqueeze(0) : t;
  };
  Problem p;
  p.u = in.u;
  p.k = lifted(in.k);
  p.k_reverse = lifted(value_or_undefined(in.k_reverse));
  p.skip = lifted(value_or_undefined(in.skip));
  p.gate_in = value_or_undefined(in.gate_in);
  p.gate_out = value_or_undefined(in.gate_out);
  p.mode = mode;
  return p;
}

// ---- kernels' rows -----------------------------------------------------------------------------

/// Rows (h) must be contiguous and L apart; batch elements may lie anywhere.
at::Tensor with_plain_rows(const at::Tensor& x) {
  if (!x.defined() || (x.stride(2) == 1 && (x.size(1) == 1 || x.stride(1) == x.size(2)))) {
    return x;
  }
  return x.contiguous();
}

Problem with_kernel_layout(const Problem& p) {
  const auto contiguous = [](const at::Tensor& t) { return t.defined() ? t.contiguous() : t; };
  Problem q = p;
  q.u = with_plain_rows(p.u);
  q.gate_in = with_plain_rows(p.gate_in);
  q.gate_out = with_plain_rows(p.gate_out);
  q.k = contiguous(p.k);
  q.k_reverse = contiguous(p.k_reverse);
  q.skip = contiguous(p.skip);
  return q;
}

const void* pointer(const at::Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }
void* writable(const at::Tensor& t) { return t.defined() ? t.mutable_data_ptr() : nullptr; }

kernels::LongConvArgs to_args(const Problem& p) {
  kernels::LongConvArgs a;
  a.u = pointer(p.u);
  a.gate_in = pointer(p.gate_in);
  a.gate_out = pointer(p.gate_out);
  a.k = pointer(p.k);
  a.k_reverse = pointer(p.k_reverse);
  a.skip = pointer(p.skip);
  a.u_batch_stride = p.u.stride(0);
  a.gate_in_batch_stride = p.gate_in.defined() ? p.gate_in.stride(0) : 0;
  a.gate_out_batch_stride = p.gate_out.defined() ? p.gate_out.stride(0) : 0;
  a.batch = p.u.size(0);
  a.filters = p.k.size(0);
  a.channels = p.u.size(1);
  a.length = p.u.size(2);
  a.taps = p.k.size(2);
  a.reverse_taps = p.k_reverse.defined() ? p.k_reverse.size(2) : 0;
  a.dtype = dtype_of(p.u, kOp, "u");
  a.mode = p.mode;
  return a;
}

at::Tensor bytes_on(const at::Tensor& like, std::int64_t count) {
  return at::empty({count}, like.options().dtype(at::kByte));
}

/// The kept spectrum, or one made now. torch_fft's holds the skip too.
at::Tensor spectrum_for(const LongConvRow& row, const Problem& p, FilterSpectrum* kept,
                        const std::function<at::Tensor()>& make) {
  if (kept == nullptr) {
    return make();
  }
  return kept->get({row.name, p.mode, p.length()},
                   {p.k, p.k_reverse, row.variant == nullptr ? p.skip : at::Tensor()}, make);
}

/// `spectrum` is found or made here for variants that read one; it is theirs alone.
at::Tensor kernel_forward(const LongConvRow& row, const Problem& problem, FilterSpectrum* kept,
                          at::Tensor& spectrum) {
  const kernels::LongConvVariant& variant = *row.variant;
  const Problem p = with_kernel_layout(problem);
  at::Tensor y = at::empty({p.u.size(0), p.k.size(0), p.u.size(1), p.u.size(2)}, p.u.options());
  kernels::LongConvArgs args = to_args(p);
  args.y = writable(y);
  if (variant.make_spectrum != nullptr) {
    spectrum = spectrum_for(row, problem, kept, [&] {
      at::Tensor made = bytes_on(p.u, variant.spectrum_bytes(args));
      variant.make_spectrum(args, writable(made), stream_of(p.u));
      return made;
    });
    args.spectrum = pointer(spectrum);
  }
  at::Tensor workspace;
  if (variant.forward_workspace_bytes != nullptr) {
    workspace = bytes_on(p.u, variant.forward_workspace_bytes(args));
    args.workspace = writable(workspace);
  }
  variant.forward(args, stream_of(p.u));
  return y;
}

Gradients kernel_backward(const kernels::LongConvVariant& variant, const Problem& problem,
                          const at::Tensor& spectrum, const at::Tensor& dy, const Wanted& wanted) {
  const Problem p = with_kernel_layout(problem);
  const at::Tensor dy_contiguous = dy.contiguous();
  const auto like = [](bool want, const at::Tensor& t) {
    return want && t.defined() ? at::empty(t.sizes(), t.options()) : at::Tensor();
  };
  Gradients d;
  d.u = like(wanted.u, p.u);
  d.k = like(wanted.k, p.k);
  d.k_reverse = like(wanted.k_reverse, p.k_reverse);
  d.skip = like(wanted.skip, p.skip);
  d.gate_in = like(wanted.gate_in, p.gate_in);
  d.gate_out = like(wanted.gate_out, p.gate_out);
  kernels::LongConvGradArgs args;
  args.inputs = to_args(p);
  args.dy = pointer(dy_contiguous);
  args.du = writable(d.u);
  args.dk = writable(d.k);
  args.dk_reverse = writable(d.k_reverse);
  args.dskip = writable(d.skip);
  args.dgate_in = writable(d.gate_in);
  args.dgate_out = writable(d.gate_out);
  args.inputs.spectrum = pointer(spectrum);
  at::Tensor workspace;
  if (variant.workspace_bytes != nullptr) {
    workspace = bytes_on(p.u, variant.workspace_bytes(args));
    args.workspace = writable(workspace);
  }
  variant.backward(args, stream_of(p.u));
  return d;
}

// ---- autograd ----------------------------------------------------------------------------------

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Saves the inputs and the filter's spectrum: nothing else of length L.
class LongConvFunction : public torch::autograd::Function<LongConvFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, const at::Tensor& k,
                            const std::optional<at::Tensor>& k_reverse,
                            const std::optional<at::Tensor>& skip,
                            const std::optional<at::Tensor>& gate_in,
                            const std::optional<at::Tensor>& gate_out, ConvMode mode,
                            const LongConvRow* row, FilterSpectrum* kept) {
    const Problem p = to_problem({u, k, k_reverse, skip, gate_in, gate_out}, mode);
    at::Tensor spectrum;
    at::Tensor y;
    if (row->variant != nullptr) {
      y = kernel_forward(*row, p, kept, spectrum);
    } else {
      spectrum = spectrum_for(*row, p, kept, [&] { return fft::filter_spectrum(p); });
      y = fft::forward(p, spectrum);
    }
    ctx->save_for_backward({u, k, value_or_undefined(k_reverse), value_or_undefined(skip),
                            value_or_undefined(gate_in), value_or_undefined(gate_out), spectrum});
    ctx->saved_data["mode"] = static_cast<std::int64_t>(mode);
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - long_conv_rows().data());
    return k.dim() == 2 ? y.squeeze(1) : y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const variable_list saved = ctx->get_saved_variables();
    const auto optional = [&](std::size_t i) {
      return saved[i].defined() ? std::optional<at::Tensor>(saved[i]) : std::nullopt;
    };
    const auto mode = static_cast<ConvMode>(ctx->saved_data["mode"].toInt());
    const LongConvRow& row =
        long_conv_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())];
    const c10::DeviceGuard device(saved[0].device());
    const Problem p =
        to_problem({saved[0], saved[1], optional(2), optional(3), optional(4), optional(5)}, mode);
    const bool one_filter = saved[1].dim() == 2;
    const at::Tensor dy = one_filter ? grad_outputs[0].unsqueeze(1) : grad_outputs[0];

    // Edges are counted over the inputs that are there.
    std::size_t edge = 0;
    const auto wants = [&](std::size_t i) {
      return saved[i].defined() && ctx->needs_input_grad(edge++);
    };
    Wanted wanted;
    wanted.u = wants(0);
    wanted.k = wants(1);
    wanted.k_reverse = wants(2);
    wanted.skip = wants(3);
    wanted.gate_in = wants(4);
    wanted.gate_out = wants(5);

    // Under grad mode (double backward) each step must be one autograd knows.
    const bool use_kernel = row.variant != nullptr && !c10::GradMode::is_enabled();
    Gradients d = use_kernel ? kernel_backward(*row.variant, p, saved[6], dy, wanted)
                             : fft::backward(p, saved[6], dy, wanted);
    const auto lowered = [&](const at::Tensor& t) {
      return t.defined() && one_filter ? t.squeeze(0) : t;
    };
    return {d.u,        lowered(d.k), lowered(d.k_reverse), lowered(d.skip), d.gate_in,
            d.gate_out, at::Tensor(), at::Tensor(),         at::Tensor()};
  }
};

void say_fallback_once(const LongConvInputs& in) {
  static std::atomic<bool> said{false};
  if (!said.exchange(true)) {
    log::debug("long_conv: no kernel for u {} with k {}; using torch_fft (said once)",
               describe(in.u), describe(in.k));
  }
}

at::Tensor run(const LongConvRow& row, const LongConvInputs& in, ConvMode mode) {
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(in.u.device());
  return LongConvFunction::apply(in.u, in.k, in.k_reverse, in.skip, in.gate_in, in.gate_out, mode,
                                 &row, in.spectrum.get());
}

kernels::LongConvShape shape_of(const LongConvInputs& in, ConvMode mode) {
  return {device_of(in.u, kOp), dtype_of(in.u, kOp, "u"),           in.u.size(2),
          in.k.size(-1),        in.k.dim() == 3 ? in.k.size(0) : 1, mode};
}

std::atomic<bool> by_fft_only{false};

const LongConvRow& choose(const LongConvInputs& in, ConvMode mode) {
  const c10::DeviceGuard device(
      in.u.device());  // what a row can run on is asked of the current one
  const kernels::LongConvVariant* variant =
      by_fft_only ? nullptr : kernels::find_long_conv(shape_of(in, mode));
  const std::span<const LongConvRow> rows = long_conv_rows();
  for (const LongConvRow& row : rows) {
    if (row.variant == variant) {
      return row;  // torch_fft is the row without a variant
    }
  }
  return rows.back();
}

}  // namespace

bool LongConvRow::takes(const kernels::LongConvShape& shape) const {
  return variant == nullptr || kernels::takes(*variant, shape);
}

std::span<const LongConvRow> long_conv_rows() {
  static const std::vector<LongConvRow> rows = [] {
    std::vector<LongConvRow> all;
    for (const kernels::LongConvVariant& variant : kernels::long_conv_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch_fft", nullptr});
    return all;
  }();
  return rows;
}

void set_long_conv_by_fft_only(bool only) { by_fft_only = only; }

const LongConvRow& choose_long_conv_row(const LongConvInputs& inputs, ConvMode mode) {
  check(inputs, mode);
  return choose(inputs, mode);
}

at::Tensor long_conv(const LongConvInputs& inputs, ConvMode mode) {
  check(inputs, mode);
  const LongConvRow& row = choose(inputs, mode);
  if (row.variant == nullptr && !by_fft_only) {
    say_fallback_once(inputs);
  }
  return run(row, inputs, mode);
}

at::Tensor long_conv_with(const LongConvRow& row, const LongConvInputs& inputs, ConvMode mode) {
  check(inputs, mode);
  LONGCONV_CHECK(row.takes(shape_of(inputs, mode)), UnsupportedError,
                 "{}: row {} does not take u {} with k {} in this mode", kOp, row.name,
                 describe(inputs.u), describe(inputs.k));
  return run(row, inputs, mode);
}

}  // namespace longconv::ops
