#define AT_PER_OPERATOR_HEADERS
#include "bench/core/short_conv_bench.h"

#include "bench/timing.h"
#include "core/ops/short_conv.h"
#include "core/ops/short_conv_gate.h"
#include "core/ops/tensor_access.h"
#include "core/ops/transposed_linear.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>

namespace longconv::bench {
namespace {

using Tensors = std::vector<at::Tensor>;
constexpr std::int64_t kOrder = 2;

/// One call to time: fresh leaves, its outputs, and the bytes it must move.
struct Call {
  std::string op;
  std::string row;
  std::function<Tensors()> make_leaves;  ///< the signal first
  std::function<Tensors(const Tensors&)> run;
};

std::size_t bytes_of(const Tensors& tensors) {
  std::size_t bytes = 0;
  for (const at::Tensor& t : tensors) bytes += t.nbytes();
  return bytes;
}

ShortConvTiming measure(const Call& call, const ShortConvBenchOptions& o, std::int64_t length,
                        double copy_gbps) {
  std::vector<Tensors> leaves = {call.make_leaves()};
  std::vector<Tensors> outputs = {call.run(leaves[0])};
  const std::size_t in = bytes_of(leaves[0]);
  const std::size_t out = bytes_of(outputs[0]);
  const auto sets = static_cast<std::size_t>(
      buffers_for_cold_cache(o.device, static_cast<std::int64_t>(in + out)));
  while (leaves.size() < sets) {
    leaves.push_back(call.make_leaves());
    outputs.push_back(call.run(leaves.back()));
  }
  std::vector<Tensors> upstream;
  for (const Tensors& set : outputs) {
    upstream.emplace_back();
    for (const at::Tensor& y : set) upstream.back().push_back(at::randn(y.sizes(), y.options()));
  }

  ShortConvTiming t;
  t.op = call.op;
  t.row = call.row;
  t.length = length;
  t.copy_gbps = copy_gbps;
  // Backward: the inputs and the outputs' gradients in, the inputs' gradients out.
  t.forward_floor_ms = static_cast<double>(in + out) / copy_gbps * 1e-6;
  t.backward_floor_ms = static_cast<double>(2 * in + out) / copy_gbps * 1e-6;
  const TimingOptions timing{3, o.repeats};
  const auto pick = [&](std::int64_t i) { return static_cast<std::size_t>(i) % sets; };
  {
    const c10::NoGradGuard no_grad;
    t.forward_ms = median_ms(
        o.device, [&](std::int64_t i) { call.run(leaves[pick(i)]); }, timing);
  }
  t.backward_ms = median_ms(
      o.device,
      [&](std::int64_t i) {
        const std::size_t b = pick(i);
        torch::autograd::grad(outputs[b], leaves[b], upstream[b], /*retain_graph=*/true);
      },
      timing);
  return t;
}

std::vector<Call> calls(const ShortConvBenchOptions& o, std::int64_t length) {
  const at::TensorOptions signal = at::TensorOptions().dtype(o.dtype).device(o.device);
  const at::TensorOptions filter = signal.dtype(o.dtype == at::kDouble ? at::kDouble : at::kFloat);
  const auto leaf = [](at::IntArrayRef shape, const at::TensorOptions& options) {
    return at::randn(shape, options).requires_grad_(true);
  };
  const std::int64_t wide = (kOrder + 1) * o.channels;
  const auto leaves = [=](bool channels_last, bool transposed) -> Tensors {
    at::Tensor u = channels_last ? at::randn({o.batch, length, wide}, signal)
                                 : at::randn({o.batch, wide, length}, signal);
    if (transposed) u = u.transpose(1, 2);
    return {u.requires_grad_(true), leaf({wide, o.taps}, filter), leaf({wide}, filter)};
  };
  const Device kind = o.device.is_cuda() ? Device::cuda : Device::cpu;
  const Dtype dtype = ops::dtype_of(at::randn({1}, signal), "bench", "dtype");

  std::vector<Call> all;
  for (const ops::ShortConvRow& row : ops::short_conv_rows()) {
    if (!row.takes(kind, dtype)) continue;
    const auto run = [&row](const Tensors& x) -> Tensors {
      return {ops::short_conv_with(row, x[0], x[1], x[2])};
    };
    all.push_back({"short_conv", row.name, [=] { return leaves(false, false); }, run});
    all.push_back({"short_conv_channels_last", row.name, [=] { return leaves(true, true); }, run});
  }
  for (const ops::ShortConvGateRow& row : ops::short_conv_gate_rows()) {
    if (!row.takes(kind, dtype)) continue;
    all.push_back({"short_conv_gate", row.name, [=] { return leaves(true, false); },
                   [&row](const Tensors& x) -> Tensors {
                     const ops::GatedParts y =
                         ops::short_conv_gate_with(row, x[0], x[1], x[2], kOrder);
                     return {y.gates, y.product};
                   }});
  }
  const auto projection = [=]() -> Tensors {
    return {leaf({o.batch, o.channels, length}, signal), leaf({o.channels, o.channels}, filter),
            leaf({o.channels}, filter)};
  };
  all.push_back(
      {"output_projection", "transposed_linear", projection,
       [](const Tensors& x) -> Tensors { return {ops::transposed_linear(x[0], x[1], x[2])}; }});
  all.push_back(
      {"output_projection", "copy_and_linear", projection, [](const Tensors& x) -> Tensors {
         const at::ScalarType type = x[0].scalar_type();
         return {at::linear(x[0].transpose(1, 2).contiguous(), x[1].to(type), x[2].to(type))};
       }});
  return all;
}

}  // namespace

std::vector<ShortConvTiming> bench_short_conv(const ShortConvBenchOptions& options) {
  std::vector<std::int64_t> lengths = options.lengths;
  std::sort(lengths.begin(), lengths.end());
  const double copy_gbps = measure_copy_gbps(options.device);
  std::vector<ShortConvTiming> all;
  for (const std::int64_t length : lengths) {
    for (const Call& call : calls(options, length)) {
      all.push_back(measure(call, options, length, copy_gbps));
    }
  }
  return all;
}

}  // namespace longconv::bench
