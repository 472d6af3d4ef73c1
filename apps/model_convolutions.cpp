#include "apps/model_convolutions.h"

#include "bench/core/long_conv_bench.h"
#include "bench/timing.h"
#include "core/ops/butterfly.h"
#include "core/runtime/device.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace longconv::apps {
namespace {

using kernels::ConvMode;

at::ScalarType signal_type(const train::RunConfig& config) {
  const std::string& precision = config.train.precision();
  return precision == "bf16" ? at::kBFloat16 : runtime::parameter_dtype(precision);
}

at::Tensor leaf(const at::Tensor& x) { return x.detach().requires_grad_(true); }

double time_butterfly(const ModelConvolution& convolution, const train::RunConfig& config,
                      std::int64_t rows, c10::Device device, std::int64_t repeats) {
  const std::int64_t channels = config.model.d_model();
  const std::int64_t length = config.data.seq_len();
  const at::ScalarType type = signal_type(config);
  const auto signal = at::TensorOptions(type).device(device);
  const auto wide = signal.dtype(type == at::kDouble ? at::kDouble : at::kFloat);
  ops::ButterflyConvInputs in;
  in.u = leaf(at::randn({rows, channels, length}, signal));
  in.k = leaf(at::randn({convolution.filters, channels, length}, wide));
  if (convolution.mode == ConvMode::bidirectional)
    in.k_reverse = leaf(at::randn(in.k.sizes(), wide));
  in.skip = leaf(at::randn({convolution.filters, channels}, wide));
  const std::int64_t count = config.model.filter.transform_per_channel() ? channels : 1;
  std::vector<at::Tensor> inputs = {in.u, in.k, *in.skip};
  if (in.k_reverse) inputs.push_back(*in.k_reverse);
  for (ops::ButterflyMatrices* matrices : {&in.of_u, &in.of_k}) {
    for (std::size_t i = 0; i < matrices->size(); ++i) {
      const std::int64_t n = ops::kButterflyOrders[i];
      matrices->at(i) = leaf(ops::dft_matrix(n, wide).unsqueeze(0).repeat({count, 1, 1, 1}));
      inputs.push_back(matrices->at(i));
    }
  }
  const std::vector<double> times = time_calls(repeats, device, [&] {
    const at::Tensor y = ops::butterfly_conv(in);
    torch::autograd::grad({y}, inputs, {at::ones(y.sizes(), y.options())},
                          /*retain_graph=*/std::nullopt,
                          /*create_graph=*/false, /*allow_unused=*/true);
  });
  return times[times.size() / 2];
}

}  // namespace

std::vector<double> time_calls(std::int64_t repeats, c10::Device device,
                               const std::function<void()>& call) {
  for (int i = 0; i < kWarmUpCalls; ++i) call();
  bench::Stopwatch watch(device);
  std::vector<double> times;
  for (std::int64_t i = 0; i < repeats; ++i) {
    watch.start();
    call();
    times.push_back(watch.stop_ms());
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::vector<ModelConvolution> convolutions_of(const models::ModelConfig& model) {
  const std::int64_t layers = model.n_layers();
  const ConvMode mode = model.filter.bidirectional() ? ConvMode::bidirectional : ConvMode::causal;
  if (model.family() == "long_conv") {
    const bool learned = model.filter.transform() == "butterfly";
    return {{layers, model.filter.channels(), mode, false, false, learned}};
  }
  if (model.family() == "m2_bert") {
    std::vector<ModelConvolution> out = {{layers, 1, mode, true, true, false}};
    if (model.residual_long_conv()) out.push_back({layers, 1, mode, false, false, false});
    return out;
  }
  const std::int64_t mixers = layers - static_cast<std::int64_t>(model.attention.layers().size());
  const ConvMode causal = ConvMode::causal;
  if (model.family() == "h3_conv") {
    return {{mixers, 1, causal, false, false, false}, {mixers, 1, causal, true, true, false}};
  }
  // Hyena's first gate is the short convolution's; the last one is behind the last filter.
  if (model.order() == 2) return {{mixers, 1, causal, false, true, false}};
  std::vector<ModelConvolution> out = {{mixers, 1, causal, false, false, false}};
  if (model.order() > 3) {
    out.push_back({mixers * (model.order() - 3), 1, causal, true, false, false});
  }
  out.push_back({mixers, 1, causal, true, true, false});
  return out;
}

double time_convolution(const ModelConvolution& convolution, const train::RunConfig& config,
                        std::int64_t rows, c10::Device device, std::int64_t repeats) {
  if (convolution.learned) return time_butterfly(convolution, config, rows, device, repeats);
  bench::ConvBenchOptions how;
  how.lengths = {config.data.seq_len()};
  how.batch = rows;
  how.channels = config.model.d_model();
  how.device = device;
  how.dtype = signal_type(config);
  how.repeats = repeats;
  how.gate_in = convolution.gate_in;
  how.gate_out = convolution.gate_out;
  how.filters = convolution.filters;
  how.mode = convolution.mode;
  double chosen_ms = 0.0;
  for (const bench::ConvTiming& timing : bench::bench_long_conv(how)) {
    if (timing.chosen) chosen_ms = timing.forward_ms + timing.backward_ms;
  }
  return chosen_ms;
}

}  // namespace longconv::apps
