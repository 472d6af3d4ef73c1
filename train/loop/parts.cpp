#include "train/loop/parts.h"

#include "core/base/log.h"
#include "core/ops/long_conv.h"
#include "core/runtime/device.h"
#include "train/loop/feed.h"
#include "train/loop/initial_weights.h"
#include "train/loop/shape.h"
#include "train/loop/trainer.h"
#include "train/optim/optimizer.h"
#include "train/optim/schedule.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <filesystem>

namespace longconv::train {
namespace {

void require_data_path(const RunConfig& config) {
  const bool corpus = config.data.task() == "lm" || config.data.task() == "mlm";
  if (corpus && config.data.path().empty()) {
    config.data.path.fail(fmt::format(
        "expected the folder of a corpus for data.task = \"{}\", got nothing; make one with "
        "`longconv data prepare`",
        config.data.task()));
  }
}

}  // namespace

void resolve_keys(RunConfig& config, const std::string& config_path) {
  if (config.run.name().empty()) {
    const std::string stem = std::filesystem::path(config_path).stem().string();
    config.run.name.set(stem.empty() ? "run" : stem);
  }
  if (config.run.dir().empty()) config.run.dir.set("runs/" + config.run.name());
  require_data_path(config);
  resolve_shape(config);
  if (config.model.longest_input() - config.model.soft_prompt() < config.data.seq_len()) {
    config.model.l_max.fail(fmt::format(
        "expected at least data.seq_len = {}{}, got {}", config.data.seq_len(),
        config.model.soft_prompt() > 0 ? " and model.soft_prompt" : "", config.model.l_max()));
  }
  check_schedule(config.schedule);
  check_feed(config);
}

void resolve(RunConfig& config, const std::string& config_path) {
  resolve_keys(config, config_path);
  const auto shapes_only = at::TensorOptions(at::kFloat).device(at::kMeta);
  const auto shapes = models::build(config.model, shapes_only);
  freeze_parameters(config, *shapes);
  append_default_groups(config.optim, parameter_infos(*shapes));
}

void set_arithmetic(const TrainSection& train) {
  // bf16 has given up float32's last bits already; TF32 makes the remaining products 8 times
  // faster.
  at::globalContext().setFloat32MatmulPrecision(train.precision() == "bf16" ? "high" : "highest");
  ops::set_long_conv_by_fft_only(train.long_conv() == "torch_fft");
}

Parts build_parts(RunConfig& config) {
  Parts parts;
  parts.micro_batch = cut_of_batch(config).micro_batch;
  parts.device = runtime::choose_device(config.run.device());
  const std::string& precision = config.train.precision();
  set_arithmetic(config.train);

  const data::TaskData data = data::open_task_data(config.data);
  parts.corpus = data.corpus;
  parts.train = data.train;
  parts.validation = data.validation;
  if (config.model.vocab_size() < data.shape.vocab_size) {
    config.model.vocab_size.fail(
        fmt::format("expected at least the tokenizer's {} ids ({}), got {}", data.shape.vocab_size,
                    parts.corpus.folder.string(), config.model.vocab_size()));
  }
  if (parts.validation == nullptr) {
    log::warn("{}: has no validation split, so nothing is evaluated and no checkpoint is the best",
              parts.corpus.folder.string());
  }

  const auto seed = static_cast<std::uint64_t>(config.seed());
  runtime::seed_everything(seed);
  // Built on the CPU, so that a seed gives the same weights on every device.
  parts.model = models::build(config.model, at::TensorOptions(runtime::parameter_dtype(precision)));
  freeze_parameters(config, *parts.model);
  parts.objective =
      &objective(config.model.head.kind(), data.shape.scores || data.shape.last_token);
  append_default_groups(config.optim, parameter_infos(*parts.model));
  parts.model->to(parts.device);
  parts.optimizer = make_optimizer(*parts.model, config.optim);

  parts.loader = make_loader(config, data, parts.device);
  return parts;
}

}  // namespace longconv::train
