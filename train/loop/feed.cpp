#include "train/loop/feed.h"

#include "core/base/log.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace longconv::train {
namespace {

/// data.batch_size of a stage: its own, or as many tokens a step as the rest of the run has.
std::int64_t batch_size_of(const RunConfig& config, const data::StageConfig& stage) {
  if (stage.batch_size() > 0) return stage.batch_size();
  const std::int64_t tokens = config.data.batch_size() * config.data.seq_len();
  if (tokens % stage.seq_len() != 0) {
    stage.batch_size.fail(
        fmt::format("is 0 for {} x {} tokens a step as in the rest of the run, which windows of {} "
                    "do not divide; give a number",
                    config.data.batch_size(), config.data.seq_len(), stage.seq_len()));
  }
  return tokens / stage.seq_len();
}

Cut cut_of_stage(const RunConfig& config, const data::StageConfig& stage) {
  const std::int64_t batch = batch_size_of(config, stage);
  const std::int64_t passes = cut_of_batch(config).passes;
  const std::int64_t micro = stage.micro_batch();
  if (micro == 0 && batch % passes != 0) {
    stage.micro_batch.fail(
        fmt::format("is 0 for {} passes a step as in the rest of the run, but the stage's batch of "
                    "{} does not divide by them; give a number",
                    passes, batch));
  }
  if (micro == 0) return {batch / passes, passes};
  if (batch % micro != 0) {
    stage.micro_batch.fail(
        fmt::format("expected a divisor of the stage's batch of {}, got {}", batch, micro));
  }
  return {micro, batch / micro};
}

std::int64_t steps_of(const data::StageConfig& stage, std::int64_t items, std::int64_t batch) {
  return stage.steps() > 0 ? stage.steps() : (stage.epochs() * items + batch - 1) / batch;
}

}  // namespace

Cut cut_of_batch(const RunConfig& config) {
  const std::int64_t batch = config.data.batch_size();
  const std::int64_t micro = config.data.micro_batch();
  const std::int64_t accumulate = config.train.accumulate();
  if (micro == 0) {
    if (batch % accumulate != 0) {
      config.train.accumulate.fail(
          fmt::format("expected a divisor of data.batch_size = {}, got {}", batch, accumulate));
    }
    return {batch / accumulate, accumulate};
  }
  if (batch % micro != 0) {
    config.data.micro_batch.fail(
        fmt::format("expected a divisor of data.batch_size = {}, got {}", batch, micro));
  }
  if (accumulate != 1 && accumulate * micro != batch) {
    config.train.accumulate.fail(fmt::format(
        "train.accumulate = {} times data.micro_batch = {} is not data.batch_size = {}; leave one "
        "of the first two out",
        accumulate, micro, batch));
  }
  return {micro, batch / micro};
}

void check_feed(const RunConfig& config) {
  const data::DataConfig& data = config.data;
  if (data.rows() != "windows" && data.task() != "lm") {
    data.rows.fail(fmt::format("expected \"windows\" for data.task = \"{}\", got \"{}\"",
                               data.task(), data.rows()));
  }
  if (data.bucket_steps() > 0 && data.rows() != "documents") {
    data.bucket_steps.fail(
        fmt::format("expected 0 for data.rows = \"{}\", whose rows are all of one length, got {}",
                    data.rows(), data.bucket_steps()));
  }
  cut_of_batch(config);
  const bool windows = data.task() == "lm" || data.task() == "dna" || data.task() == "species";
  if (data.stage.size() > 0 && !windows) {
    data.stage[0].seq_len.fail(fmt::format(
        "stages are for windows of tokens, data.task = \"{}\" has whole samples", data.task()));
  }
  for (std::size_t i = 0; i < data.stage.size(); ++i) {
    const data::StageConfig& stage = data.stage[i];
    if (stage.seq_len() > data.seq_len()) {
      stage.seq_len.fail(fmt::format("expected at most data.seq_len = {}, got {}", data.seq_len(),
                                     stage.seq_len()));
    }
    if ((stage.steps() > 0) == (stage.epochs() > 0)) {
      stage.epochs.fail(fmt::format(
          "expected either epochs or steps of the stage, got epochs = {} and steps = {}",
          stage.epochs(), stage.steps()));
    }
    cut_of_stage(config, stage);
  }
}

std::unique_ptr<data::Loader> make_loader(const RunConfig& config, const data::TaskData& data,
                                          c10::Device device) {
  check_feed(config);
  std::vector<data::Stage> stages;
  for (std::size_t i = 0; i < config.data.stage.size(); ++i) {
    const data::StageConfig& stage = config.data.stage[i];
    const Cut cut = cut_of_stage(config, stage);
    const std::int64_t batch = cut.micro_batch * cut.passes;
    const auto& dataset = data.stages[i];
    stages.push_back({dataset, cut.micro_batch, batch, steps_of(stage, dataset->size(), batch)});
    log::info("stage {}: {} steps of {} rows x {} tokens ({} passes each)", i + 1,
              stages.back().steps, batch, stage.seq_len(), cut.passes);
  }
  const Cut cut = cut_of_batch(config);
  stages.push_back({data.train, cut.micro_batch, config.data.batch_size(), 0});

  data::LoaderOptions options;
  options.seed = static_cast<std::uint64_t>(config.seed());
  options.shuffle = config.data.shuffle();
  options.workers = config.data.workers();
  options.bucket_steps = config.data.bucket_steps();
  options.device = device;
  return std::make_unique<data::Loader>(std::move(stages), options);
}

}  // namespace longconv::train
