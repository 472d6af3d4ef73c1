#define AT_PER_OPERATOR_HEADERS
#include "core/ops/tap_regulariser.h"

#include "core/base/check.h"
#include "core/ops/tensor_access.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/softshrink.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <bit>
#include <mutex>
#include <vector>

namespace longconv::ops {
namespace {

constexpr const char* kOp = "tap_regulariser";

void check(const at::Tensor& k, const TapRegulariser& how) {
  LONGCONV_CHECK(k.defined() && k.dim() >= 1 && k.numel() > 0, ShapeError,
                 "{}: k must be [.., T], none of them 0, got {}", kOp, describe(k));
  (void)dtype_of(k, kOp, "k");
  LONGCONV_CHECK(how.window >= 1 && how.window % 2 == 1, ShapeError,
                 "{}: window must be odd and at least 1, got {}", kOp, how.window);
  LONGCONV_CHECK(how.squash >= 0.0 && how.dropout >= 0.0 && how.dropout <= 1.0, ShapeError,
                 "{}: wants squash >= 0 and dropout in [0, 1], got {} and {}", kOp, how.squash,
                 how.dropout);
}

std::uint64_t draw_seed() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

at::Tensor average(const at::Tensor& x, std::int64_t window) {
  if (window == 1) return x;
  return at::avg_pool1d(x.reshape({-1, x.size(-1)}), {window}, {1}, {window / 2},
                        /*ceil_mode=*/false, /*count_include_pad=*/true)
      .view(x.sizes());
}

at::Tensor torch_regularise(const at::Tensor& k, const TapRegulariser& how) {
  at::Tensor y = average(k, how.window);
  if (how.squash > 0.0) y = at::softshrink(y, how.squash);
  return how.dropout > 0.0 ? at::dropout(y, how.dropout, /*train=*/true) : y;
}

kernels::TapRegulariserArgs to_args(const at::Tensor& k, const TapRegulariser& how,
                                    std::uint64_t seed) {
  kernels::TapRegulariserArgs a;
  a.k = k.const_data_ptr();
  a.taps = k.size(-1);
  a.rows = k.numel() / a.taps;
  a.window = how.window;
  a.squash = how.squash;
  a.dropout = how.dropout;
  a.seed = seed;
  a.dtype = dtype_of(k, kOp, "k");
  return a;
}

at::Tensor kernel_forward(const kernels::TapRegulariserVariant& variant, const at::Tensor& any,
                          const TapRegulariser& how, std::uint64_t seed) {
  const at::Tensor k = any.contiguous();
  const at::Tensor y = at::empty(k.sizes(), k.options());
  kernels::TapRegulariserArgs args = to_args(k, how, seed);
  args.y = y.mutable_data_ptr();
  variant.forward(args, stream_of(k));
  return y;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class TapRegulariserFunction : public torch::autograd::Function<TapRegulariserFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& k, const TapRegulariser& how,
                            const TapRegulariserRow* row) {
    const std::uint64_t seed = how.dropout > 0.0 ? draw_seed() : 0;
    ctx->save_for_backward({k});
    ctx->saved_data["window"] = how.window;
    ctx->saved_data["squash"] = how.squash;
    ctx->saved_data["dropout"] = how.dropout;
    ctx->saved_data["seed"] = std::bit_cast<std::int64_t>(seed);
    ctx->saved_data["row"] = static_cast<std::int64_t>(row - tap_regulariser_rows().data());
    return kernel_forward(*row->variant, k, how, seed);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const NoAutocast no_autocast;
    const at::Tensor k = ctx->get_saved_variables()[0].contiguous();
    const c10::DeviceGuard device(k.device());
    const TapRegulariser how = {ctx->saved_data["window"].toInt(),
                                ctx->saved_data["squash"].toDouble(),
                                ctx->saved_data["dropout"].toDouble()};
    const auto seed = std::bit_cast<std::uint64_t>(ctx->saved_data["seed"].toInt());
    const kernels::TapRegulariserVariant& variant =
        *tap_regulariser_rows()[static_cast<std::size_t>(ctx->saved_data["row"].toInt())].variant;
    at::Tensor dk;
    if (c10::GradMode::is_enabled()) {
      // Linear in dy, and of k it depends on which taps are live alone.
      const c10::NoGradGuard no_grad;
      at::Tensor factor = at::gt(at::abs(average(k, how.window)), how.squash).to(k.scalar_type());
      if (how.dropout > 0.0) {
        const TapRegulariser only = {1, 0.0, how.dropout};
        factor = at::mul(factor, kernel_forward(variant, at::ones_like(k), only, seed));
      }
      const c10::AutoGradMode grad(true);
      dk = average(at::mul(grad_outputs[0], factor), how.window);
    } else {
      const at::Tensor dy = grad_outputs[0].contiguous();
      dk = at::empty(k.sizes(), k.options());
      kernels::TapRegulariserGradArgs args;
      args.inputs = to_args(k, how, seed);
      args.dy = dy.const_data_ptr();
      args.dk = dk.mutable_data_ptr();
      variant.backward(args, stream_of(k));
    }
    return {dk, at::Tensor(), at::Tensor()};
  }
};

at::Tensor run(const TapRegulariserRow& row, const at::Tensor& k, const TapRegulariser& how) {
  if (how.window == 1 && how.squash == 0.0 && how.dropout == 0.0) return k;
  const NoAutocast no_autocast;
  const c10::DeviceGuard device(k.device());
  return row.variant == nullptr ? torch_regularise(k, how)
                                : TapRegulariserFunction::apply(k, how, &row);
}

}  // namespace

bool TapRegulariserRow::takes(const at::Tensor& k, const TapRegulariser& how) const {
  return variant == nullptr ||
         (variant->device == device_of(k, kOp) && variant->dtype == dtype_of(k, kOp, "k") &&
          how.window <= kernels::kMaxSmoothWindow && how.dropout < 1.0);
}

std::span<const TapRegulariserRow> tap_regulariser_rows() {
  static const std::vector<TapRegulariserRow> rows = [] {
    std::vector<TapRegulariserRow> all;
    for (const kernels::TapRegulariserVariant& variant : kernels::tap_regulariser_variants()) {
      all.push_back({variant.name, &variant});
    }
    all.push_back({"torch", nullptr});
    return all;
  }();
  return rows;
}

at::Tensor regularise_taps(const at::Tensor& k, const TapRegulariser& how) {
  check(k, how);
  const auto rows = tap_regulariser_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const TapRegulariserRow& r) {
    return r.takes(k, how);
  });  // the last takes everything
  return run(*row, k, how);
}

at::Tensor regularise_taps_with(const TapRegulariserRow& row, const at::Tensor& k,
                                const TapRegulariser& how) {
  check(k, how);
  LONGCONV_CHECK(row.takes(k, how), UnsupportedError, "{}: row {} does not take k {}", kOp,
                 row.name, describe(k));
  return run(row, k, how);
}

}  // namespace longconv::ops
