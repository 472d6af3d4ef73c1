// longconv bench model: the trainer's own step on random inputs, and how much of it is convolution.
#include "apps/bench_model.h"

#include "apps/model_convolutions.h"
#include "apps/model_place.h"
#include "apps/print_facts.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/runtime/device.h"
#include "models/cost/cost.h"
#include "train/loop/feed.h"
#include "train/loop/parts.h"
#include "train/loop/training.h"
#include "train/optim/optimizer.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

/// Whether the model gives one number a row, where others give some a step.
bool is_score(const models::ModelConfig& model) {
  return model.family() == "m2_bert" && model.head.kind() == "regressor";
}

/// What a batch of random numbers in a model's shapes holds.
data::Batch random_batch(const models::ModelConfig& model, std::int64_t rows, std::int64_t length) {
  const std::int64_t series = model.d_input();
  const std::int64_t outputs = model.head.n_classes();
  const std::string& kind = model.head.kind();
  const at::Tensor ids =
      series > 0 ? at::Tensor() : at::randint(model.vocab_size(), {rows, length + 1}, at::kLong);
  data::Batch out{
      series > 0 ? at::randn({rows, length, series}) : ids.narrow(1, 0, length).contiguous(), {}};
  out.target = kind == "classifier"  ? at::randint(outputs, {rows}, at::kLong)
               : is_score(model)     ? at::randn({rows})
               : kind == "regressor" ? at::randn({rows, length, outputs})
                                     : ids.narrow(1, 1, length).contiguous();
  return out;
}

/// One batch, again and again: speed does not depend on what the numbers say.
class OneBatch final : public data::Dataset {
 public:
  explicit OneBatch(data::Batch batch) : batch_(std::move(batch)) {}
  [[nodiscard]] std::int64_t size() const override { return batch_.input.size(0); }
  [[nodiscard]] std::int64_t seq_len() const override { return batch_.input.size(1); }
  [[nodiscard]] data::Batch get(std::span<const std::int64_t> indices) const override {
    LONGCONV_CHECK(static_cast<std::int64_t>(indices.size()) == size(), DataError,
                   "random batch: expected batches of {} rows, got {}", size(), indices.size());
    return batch_;
  }

 private:
  data::Batch batch_;
};

train::Parts build_parts(train::RunConfig& config, c10::Device device) {
  train::Parts parts;
  parts.device = device;
  parts.micro_batch = train::cut_of_batch(config).micro_batch;
  train::set_arithmetic(config.train);
  runtime::seed_everything(static_cast<std::uint64_t>(config.seed()));
  parts.model = models::build(config.model);
  parts.model->to(device, runtime::parameter_dtype(config.train.precision()));
  parts.objective = &train::objective(config.model.head.kind(), is_score(config.model));
  parts.model->train();
  parts.optimizer = train::make_optimizer(*parts.model, config.optim);
  data::LoaderOptions options;
  options.workers = config.data.workers();
  options.device = device;
  const data::Stage stage{std::make_shared<OneBatch>(
                              random_batch(config.model, parts.micro_batch, config.data.seq_len())),
                          parts.micro_batch, config.data.batch_size(), 0};
  parts.loader = std::make_unique<data::Loader>(std::vector{stage}, options);
  return parts;
}

}  // namespace

ExitCode bench_model(const BenchOptions& options) {
  train::RunConfig config;
  config::load(config, options.config);
  for (const std::string& text : options.overrides) config::apply_override(config, text);
  fill_shapes(config);
  const c10::Device device =
      runtime::choose_device(options.device == "auto" ? config.run.device() : options.device);
  train::Parts parts = build_parts(config, device);
  const std::string precision = config.train.precision();

  log::info("timing {} steps of {} on {} after {} to warm up", options.repeats, options.config,
            device.str(), kWarmUpCalls);
  const std::vector<double> steps = time_calls(options.repeats, device, [&] {
    train::accumulate_gradients(parts, precision);
    train::clip_gradients(parts.optimizer->gradients(), config.optim.clip_norm());
    parts.optimizer->step([](double peak) { return peak; });
    parts.optimizer->zero_grad();
  });
  const std::uint64_t memory = runtime::peak_memory(device);  // before the next measurement
  std::int64_t calls = 0;
  double convolution_ms = 0.0;
  for (const ModelConvolution& each : convolutions_of(config.model)) {
    const std::int64_t count = each.count * parts.loader->passes();
    const double one_ms =
        time_convolution(each, config, parts.micro_batch, device, options.repeats);
    calls += count;
    convolution_ms += one_ms * static_cast<double>(count);
  }
  const double step_ms = steps[steps.size() / 2];
  const std::int64_t tokens = config.data.batch_size() * config.data.seq_len();
  const models::Cost cost = models::cost(config.model);
  const double tokens_per_s = 1e3 * static_cast<double>(tokens) / step_ms;
  const ordered_json result{
      {"config", options.config},
      {"device", device.str()},
      {"precision", precision},
      {"parameters", cost.parameters},
      {"tokens_per_step", tokens},
      {"micro_batch", parts.micro_batch},
      {"seq_len", config.data.seq_len()},
      {"repeats", options.repeats},
      {"step_ms", step_ms},
      {"step_ms_fastest", steps.front()},
      {"step_ms_slowest", steps.back()},
      {"tokens_per_s", tokens_per_s},
      {"peak_memory_bytes", memory},
      {"model_gflops_per_s", 1e-9 * tokens_per_s * cost.training_flops_per_token()},
      {"convolutions_per_step", calls},  // a call with C filters is one
      {"filters_per_convolution",
       config.model.family() == "long_conv" ? config.model.filter.channels() : 1},
      {"convolution_ms", convolution_ms},
      {"convolution_share", convolution_ms / step_ms}};
  print_result(result.dump(2), options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
