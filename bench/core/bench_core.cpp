// Google Benchmark over the operators' tables: every row that runs on the device, forward and
// backward. The device is the GPU if there is one. Times are Stopwatch's (CUDA events on a GPU).
#define AT_PER_OPERATOR_HEADERS
#include "bench/timing.h"
#include "core/ops/implicit_filter.h"
#include "core/ops/layer_norm.h"
#include "core/ops/long_conv.h"
#include "core/ops/short_conv.h"
#include "core/ops/short_conv_gate.h"
#include "core/ops/tap_regulariser.h"
#include "core/runtime/device.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace longconv::bench {
namespace {

constexpr std::int64_t kBatch = 8;
constexpr std::int64_t kChannels = 64;

struct Types {
  Dtype dtype;
  at::ScalarType signal;
  at::ScalarType filter;
};
constexpr Types kTypes[] = {{Dtype::f64, at::kDouble, at::kDouble},
                            {Dtype::f32, at::kFloat, at::kFloat},
                            {Dtype::bf16, at::kBFloat16, at::kFloat},
                            {Dtype::f16, at::kHalf, at::kFloat}};

/// Runs `call` under the harness with our clock and reports `bytes` per iteration.
void repeat(benchmark::State& state, c10::Device device, double bytes,
            const std::function<void()>& call) {
  Stopwatch watch(device);
  call();  // plans and allocations
  for (auto _ : state) {
    watch.start();
    call();
    state.SetIterationTime(watch.stop_ms() * 1e-3);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

/// Registers forward and backward of one operator on fixed leaves.
void add(const std::string& name, c10::Device device, double forward_bytes, double backward_bytes,
         const std::function<std::vector<at::Tensor>()>& make_leaves,
         const std::function<at::Tensor(const std::vector<at::Tensor>&)>& op) {
  benchmark::RegisterBenchmark((name + "/forward").c_str(), [=](benchmark::State& state) {
    const std::vector<at::Tensor> leaves = make_leaves();
    repeat(state, device, forward_bytes, [&] { benchmark::DoNotOptimize(op(leaves)); });
  })->UseManualTime();
  benchmark::RegisterBenchmark((name + "/backward").c_str(), [=](benchmark::State& state) {
    const std::vector<at::Tensor> leaves = make_leaves();
    const at::Tensor y = op(leaves);
    const at::Tensor dy = at::ones_like(y);
    repeat(state, device, backward_bytes, [&] {
      benchmark::DoNotOptimize(torch::autograd::grad({y}, leaves, {dy}, /*retain_graph=*/true));
    });
  })->UseManualTime();
}

void add_long_conv(Device kind, c10::Device device) {
  for (const ops::LongConvRow& row : ops::long_conv_rows()) {
    for (const Types& types : kTypes) {
      for (const std::int64_t length : {64, 128, 256, 1024, 8192}) {
        // Direct sums are quadratic: beyond four times their best length there is nothing to see.
        const bool hopeless = row.variant != nullptr && length / 4 > row.variant->best_taps;
        if (!row.takes({kind, types.dtype, length, length}) || hopeless) {
          continue;
        }
        const auto leaves = [=] {
          const at::TensorOptions options = at::TensorOptions().device(device);
          return std::vector<at::Tensor>{
              at::randn({kBatch, kChannels, length}, options.dtype(types.signal))
                  .requires_grad_(true),
              at::randn({kChannels, length}, options.dtype(types.filter)).requires_grad_(true)};
        };
        const double signal = static_cast<double>(kBatch * kChannels * length) *
                              static_cast<double>(size_of(types.dtype));
        add(fmt::format("long_conv/{}/{}/L{}", row.name, name(types.dtype), length), device,
            2.0 * signal, 3.0 * signal, leaves, [&row](const std::vector<at::Tensor>& x) {
              ops::LongConvInputs in;
              in.u = x[0];
              in.k = x[1];
              return ops::long_conv_with(row, in, ops::ConvMode::causal);
            });
      }
    }
  }
}

/// A projection (B, L, 3 H), and taps and bias of its short convolution.
std::vector<at::Tensor> projection_leaves(const Types& types, std::int64_t length,
                                          c10::Device device) {
  constexpr std::int64_t kTaps = 3;
  const at::TensorOptions options = at::TensorOptions().device(device);
  const auto leaf = [&](at::IntArrayRef shape, at::ScalarType type) {
    return at::randn(shape, options.dtype(type)).requires_grad_(true);
  };
  return {leaf({kBatch, length, 3 * kChannels}, types.signal),
          leaf({3 * kChannels, kTaps}, types.filter), leaf({3 * kChannels}, types.filter)};
}

void add_short_conv(Device kind, c10::Device device) {
  for (const ops::ShortConvRow& row : ops::short_conv_rows()) {
    for (const Types& types : kTypes) {
      for (const std::int64_t length : {1024, 8192}) {
        if (!row.takes(kind, types.dtype)) {
          continue;
        }
        const auto leaves = [=] {
          std::vector<at::Tensor> x = projection_leaves(types, length, device);
          x[0] = x[0].detach().transpose(1, 2).requires_grad_(true);
          return x;
        };
        const double signal = static_cast<double>(kBatch * 3 * kChannels * length) *
                              static_cast<double>(size_of(types.dtype));
        add(fmt::format("short_conv/{}/{}/L{}", row.name, name(types.dtype), length), device,
            2.0 * signal, 3.0 * signal, leaves, [&row](const std::vector<at::Tensor>& x) {
              return ops::short_conv_with(row, x[0], x[1], x[2]);
            });
      }
    }
  }
}

void add_short_conv_gate(Device kind, c10::Device device) {
  constexpr std::int64_t kOrder = 2;
  for (const ops::ShortConvGateRow& row : ops::short_conv_gate_rows()) {
    for (const Types& types : kTypes) {
      for (const std::int64_t length : {1024, 8192}) {
        if (!row.takes(kind, types.dtype)) {
          continue;
        }
        const auto leaves = [=] { return projection_leaves(types, length, device); };
        const double signal = static_cast<double>(kBatch * kChannels * length) *
                              static_cast<double>(size_of(types.dtype));
        // The product's gradient alone: the gate's is made of zeros.
        add(fmt::format("short_conv_gate/{}/{}/L{}", row.name, name(types.dtype), length), device,
            5.0 * signal, 8.0 * signal, leaves, [&row](const std::vector<at::Tensor>& x) {
              return ops::short_conv_gate_with(row, x[0], x[1], x[2], kOrder).product;
            });
      }
    }
  }
}

/// HyenaDNA's filter of 256 channels: 3 sines of 64 units over 5 features. Bytes are its own alone.
void add_implicit_filter(c10::Device device) {
  constexpr std::int64_t kFilterChannels = 256;
  constexpr std::int64_t kWidth = 64;
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(at::kFloat);
  const auto leaf = [=](at::IntArrayRef shape) {
    return at::randn(shape, options).mul_(0.1).requires_grad_(true);
  };
  for (const ops::ImplicitFilterRow& row : ops::implicit_filter_rows()) {
    for (const std::int64_t length : {2048, 32768, 1 << 20}) {
      if (length > 32768 && (row.variant == nullptr || device.is_cpu())) continue;  // many GB
      const ops::PositionalFeatures features = ops::positional_features(length, 5, options);
      const auto inputs = [=](const std::vector<at::Tensor>& x) {
        ops::ImplicitFilterInputs in;
        in.z = features.z;
        in.t = features.t;
        in.freq = x[0];
        in.weights = {x[1], x[2], x[3], x[4]};
        in.biases = {x[5], x[6], x[7]};
        in.deltas = ops::modulation_deltas(kFilterChannels, 0.3, 1.5, 1e-2, options);
        return in;
      };
      const auto leaves = [=] {
        return std::vector<at::Tensor>{at::full({kWidth}, 10.0, options).requires_grad_(true),
                                       leaf({kWidth, 5}),
                                       leaf({kWidth, kWidth}),
                                       leaf({kWidth, kWidth}),
                                       leaf({kFilterChannels, kWidth}),
                                       leaf({kWidth}),
                                       leaf({kWidth}),
                                       leaf({kWidth})};
      };
      if (!row.takes(inputs(leaves()))) continue;
      const double bytes = static_cast<double>(kFilterChannels * length * 4);
      add(fmt::format("implicit_filter/{}/L{}", row.name, length), device, bytes, bytes, leaves,
          [=, &row](const std::vector<at::Tensor>& x) {
            return ops::implicit_filter_with(row, inputs(x), length).t();
          });
    }
  }
}

/// 32,768 rows of float32, delivered in float32 and bf16.
void add_layer_norm(c10::Device device) {
  constexpr std::int64_t kRows = 32768;
  for (const ops::LayerNormRow& row : ops::layer_norm_rows()) {
    for (const std::int64_t channels : {256, 864}) {
      for (const Types& types : {kTypes[1], kTypes[2]}) {
        const at::TensorOptions options = at::TensorOptions().device(device).dtype(at::kFloat);
        const auto leaves = [=] {
          return std::vector<at::Tensor>{at::randn({kRows, channels}, options).requires_grad_(true),
                                         at::randn({channels}, options).requires_grad_(true),
                                         at::randn({channels}, options).requires_grad_(true)};
        };
        if (!row.takes(at::randn({1, channels}, options), types.signal)) continue;
        const auto values = static_cast<double>(kRows * channels);
        const double out = values * static_cast<double>(size_of(types.dtype));
        add(fmt::format("layer_norm/{}/{}/D{}", row.name, name(types.dtype), channels), device,
            4.0 * values + out, 8.0 * values + out, leaves,
            [=, &row](const std::vector<at::Tensor>& x) {
              return ops::layer_norm_with(row, x[0], x[1], x[2], 1e-5, types.signal);
            });
      }
    }
  }
}

/// The filters of LongConv's Path-X model: squash and dropout, and with smoothing.
void add_tap_regulariser(c10::Device device) {
  for (const ops::TapRegulariserRow& row : ops::tap_regulariser_rows()) {
    for (const std::int64_t window : {1, 7}) {
      const ops::TapRegulariser how = {window, 0.001, 0.3};
      const auto leaves = [=] {
        return std::vector<at::Tensor>{
            at::randn({4, 256, 16384}, at::TensorOptions().device(device).dtype(at::kFloat))
                .requires_grad_(true)};
      };
      const at::Tensor like = at::randn({1}, at::TensorOptions().device(device).dtype(at::kFloat));
      if (!row.takes(like, how)) continue;
      constexpr double kBytes = 4.0 * 4 * 256 * 16384;
      add(fmt::format("tap_regulariser/{}/window{}", row.name, window), device, 2.0 * kBytes,
          3.0 * kBytes, leaves, [=, &row](const std::vector<at::Tensor>& x) {
            return ops::regularise_taps_with(row, x[0], how);
          });
    }
  }
}

}  // namespace
}  // namespace longconv::bench

int main(int argc, char** argv) {
  longconv::runtime::prepare_threads();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  const c10::Device device = longconv::runtime::choose_device("auto");
  const longconv::Device kind = device.is_cuda() ? longconv::Device::cuda : longconv::Device::cpu;
  longconv::bench::add_implicit_filter(device);
  longconv::bench::add_layer_norm(device);
  longconv::bench::add_tap_regulariser(device);
  longconv::bench::add_long_conv(kind, device);
  longconv::bench::add_short_conv(kind, device);
  longconv::bench::add_short_conv_gate(kind, device);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
