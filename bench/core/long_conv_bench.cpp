#define AT_PER_OPERATOR_HEADERS
#include "bench/core/long_conv_bench.h"

#include "bench/timing.h"
#include "core/ops/long_conv.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace longconv::bench {
namespace {

using ops::ConvMode;
using ops::LongConvInputs;
using ops::LongConvRow;

/// N(0,1) signals and a filter that decays by e^-5 over the length, as trained ones do.
LongConvInputs make_inputs(const ConvBenchOptions& o, std::int64_t batch, std::int64_t channels,
                           std::int64_t length) {
  const at::ScalarType wide = o.dtype == at::kDouble ? at::kDouble : at::kFloat;
  const at::TensorOptions signal = at::TensorOptions().dtype(o.dtype).device(o.device);
  const at::TensorOptions filter = signal.dtype(wide);
  const auto leaf = [](const at::Tensor& t) { return t.detach().requires_grad_(true); };
  LongConvInputs in;
  in.u = leaf(at::randn({batch, channels, length}, signal));
  const at::Tensor decay =
      at::exp(at::arange(length, filter).mul(-5.0 / static_cast<double>(length)));
  std::vector<std::int64_t> rows = {channels};  // and C, where there are several
  if (o.filters > 1) rows.insert(rows.begin(), o.filters);
  const auto taps = [&] {
    std::vector<std::int64_t> shape = rows;
    shape.push_back(length);
    return leaf(at::randn(shape, filter).mul(decay));
  };
  in.k = taps();
  if (o.mode == ConvMode::bidirectional || o.mode == ConvMode::conjugate) {
    in.k_reverse = taps();
  }
  if (o.skip) {
    in.skip = leaf(at::randn(rows, filter));
  }
  const auto gate = [&] { return leaf(at::randn({batch, channels, length}, signal)); };
  if (o.gate_in) in.gate_in = gate();
  if (o.gate_out) in.gate_out = gate();
  return in;
}

std::vector<at::Tensor> leaves(const LongConvInputs& in) {
  std::vector<at::Tensor> all = {in.u, in.k};
  if (in.k_reverse) {
    all.push_back(*in.k_reverse);
  }
  if (in.skip) {
    all.push_back(*in.skip);
  }
  for (const std::optional<at::Tensor>& gate : {in.gate_in, in.gate_out}) {
    if (gate) all.push_back(*gate);
  }
  return all;
}

LongConvInputs to_float64(const LongConvInputs& in) {
  const auto exact = [](const at::Tensor& t) {
    return t.detach().to(at::kDouble).requires_grad_(true);
  };
  LongConvInputs out;
  out.u = exact(in.u);
  out.k = exact(in.k);
  if (in.k_reverse) {
    out.k_reverse = exact(*in.k_reverse);
  }
  if (in.skip) {
    out.skip = exact(*in.skip);
  }
  if (in.gate_in) out.gate_in = exact(*in.gate_in);
  if (in.gate_out) out.gate_out = exact(*in.gate_out);
  return out;
}

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor exact = want.detach();
  return got.detach().to(at::kDouble).sub(exact).norm().item<double>() /
         exact.norm().item<double>();
}

/// Against the fallback in float64, which the tests hold to the plain loops of core/reference.
void measure_errors(const LongConvRow& row, const ConvBenchOptions& o, std::int64_t length,
                    ConvTiming& timing) {
  constexpr std::int64_t kChannels = 16;
  const LongConvInputs in = make_inputs(o, 1, std::min(o.channels, kChannels), length);
  const LongConvInputs exact = to_float64(in);
  const at::Tensor y = ops::long_conv_with(row, in, o.mode);
  const at::Tensor want = ops::long_conv_with(ops::long_conv_rows().back(), exact, o.mode);
  const at::Tensor dy = at::randn(y.sizes(), y.options());
  timing.relative_error = relative_l2(y, want);
  timing.relative_gradient_error =
      relative_l2(torch::autograd::grad({y}, {in.u}, {dy})[0],
                  torch::autograd::grad({want}, {exact.u}, {dy.to(at::kDouble)})[0]);
}

/// Bytes that must move: forward u, y, k; backward u, dy, du, k, dk; and the gates and their
/// gradients. y and dy are as many as there are filters.
std::pair<double, double> bytes_moved(const LongConvInputs& in) {
  const auto signal = static_cast<double>(in.u.nbytes());
  const auto sides = in.k_reverse ? 2.0 : 1.0;
  const double filter = sides * static_cast<double>(in.k.nbytes());
  const auto filters = static_cast<double>(in.k.dim() == 3 ? in.k.size(0) : 1);
  const double gates = (in.gate_in ? 1.0 : 0.0) + (in.gate_out ? 1.0 : 0.0);
  return {(1.0 + filters + gates) * signal + filter,
          (2.0 + filters + 2.0 * gates) * signal + 2.0 * filter};
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "float64";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      return "float32";
  }
}

void measure_times(const LongConvRow& row, const ConvBenchOptions& o,
                   const std::vector<LongConvInputs>& buffers, ConvTiming& t) {
  const TimingOptions timing_options{3, o.repeats};
  const auto pick = [&](std::int64_t i) { return static_cast<std::size_t>(i) % buffers.size(); };
  {
    const c10::AutoGradMode no_grad(false);
    t.forward_ms = median_ms(
        o.device, [&](std::int64_t i) { ops::long_conv_with(row, buffers[pick(i)], o.mode); },
        timing_options);
  }
  // Graphs are made once; the backward alone is repeated on them.
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> upstream;
  for (const LongConvInputs& in : buffers) {
    outputs.push_back(ops::long_conv_with(row, in, o.mode));
    upstream.push_back(at::randn(outputs.back().sizes(), outputs.back().options()));
  }
  t.backward_ms = median_ms(
      o.device,
      [&](std::int64_t i) {
        const std::size_t b = pick(i);
        torch::autograd::grad({outputs[b]}, leaves(buffers[b]), {upstream[b]},
                              /*retain_graph=*/true);
      },
      timing_options);
}

ConvTiming measure(const LongConvRow& row, const ConvBenchOptions& o,
                   const std::vector<LongConvInputs>& buffers, double copy_gbps) {
  ConvTiming t;
  t.row = row.name;
  t.length = buffers[0].u.size(2);
  t.batch = o.batch;
  t.channels = o.channels;
  t.dtype = dtype_name(o.dtype);
  t.gated = o.gate_in && o.gate_out;
  t.copy_gbps = copy_gbps;
  const auto [forward_bytes, backward_bytes] = bytes_moved(buffers[0]);
  t.forward_floor_ms = forward_bytes / copy_gbps * 1e-6;
  t.backward_floor_ms = backward_bytes / copy_gbps * 1e-6;
  try {
    measure_times(row, o, buffers, t);
  } catch (const c10::OutOfMemoryError&) {
    t.out_of_memory = true;
    return t;
  }
  t.forward_gbps = forward_bytes / t.forward_ms * 1e-6;
  t.backward_gbps = backward_bytes / t.backward_ms * 1e-6;
  return t;
}

// clang-format off
constexpr PeerTime kPeers[] = {
    // L,  forward, backward
    {256,   .090,   .244},
    {1024,  .358,   .660},
    {4096,  1.42,   2.49},
    {8192,  3.05,   6.65},
    {16384, 7.45,   21.1},
    {32768, 19.7,   25.0},
};
// clang-format on

}  // namespace

ConvBenchOptions paper_preset() {
  ConvBenchOptions o;
  o.lengths = {256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
  o.dtype = at::kBFloat16;
  o.skip = false;
  return o;
}

const PeerTime* best_peer(std::int64_t length) {
  for (const PeerTime& peer : kPeers) {
    if (peer.length == length) {
      return &peer;
    }
  }
  return nullptr;
}

std::vector<ConvTiming> bench_long_conv(const ConvBenchOptions& options) {
  std::vector<std::int64_t> lengths = options.lengths;
  std::sort(lengths.begin(), lengths.end());
  const double copy_gbps = measure_copy_gbps(options.device);
  std::vector<ConvTiming> all;
  for (const std::int64_t length : lengths) {
    std::vector<LongConvInputs> buffers = {
        make_inputs(options, options.batch, options.channels, length)};
    const auto bytes = static_cast<std::int64_t>(bytes_moved(buffers[0]).first);
    while (static_cast<std::int64_t>(buffers.size()) <
           buffers_for_cold_cache(options.device, bytes)) {
      buffers.push_back(make_inputs(options, options.batch, options.channels, length));
    }
    const LongConvRow& chosen = ops::choose_long_conv_row(buffers[0], options.mode);
    std::vector<const LongConvRow*> rows = {&chosen};
    if (chosen.variant != nullptr) {
      rows.push_back(&ops::long_conv_rows().back());
    }
    for (const LongConvRow* row : rows) {
      ConvTiming timing = measure(*row, options, buffers, copy_gbps);
      timing.chosen = row == &chosen;
      if (!timing.out_of_memory) {
        measure_errors(*row, options, length, timing);
      }
      all.push_back(timing);
    }
  }
  return all;
}

}  // namespace longconv::bench
