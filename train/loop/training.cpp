#include "train/loop/training.h"

#include "core/base/log.h"
#include "core/runtime/device.h"
#include "train/checkpoint/checkpoint.h"
#include "train/optim/schedule.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace longconv::train {
namespace fs = std::filesystem;

Training::Training(const RunConfig& config, Parts& parts, fs::path folder, bool progress)
    : config_(config), parts_(parts), folder_(std::move(folder)), progress_enabled_(progress) {
  state_.config = config_values(config_);
  state_.data_fingerprint = parts_.corpus.fingerprint;
}

void Training::resume_from(const fs::path& checkpoint) {
  TrainState loaded = load_state(checkpoint);
  require_same_run(loaded, config_, state_.data_fingerprint, checkpoint);
  load_tensors(checkpoint, *parts_.model, *parts_.optimizer);
  parts_.loader->seek({loaded.loader_seed, loaded.loader_consumed, /*pass=*/0});
  write_generators(parts_.device, loaded);
  window_.restore(loaded.window);
  loaded.config = std::move(state_.config);
  state_ = std::move(loaded);

  // A kill may have come between a checkpoint's rename and its links; and the checkpoint may be
  // another run's, whose best is not here.
  if (fs::exists(checkpoints() / step_name(state_.step))) {
    saved_step_ = state_.step;
    set_link(checkpoints(), "latest", state_.step);
  }
  if (!fs::exists(checkpoints() / step_name(state_.best_step) / kCompleteFile)) {
    state_.best_step = -1;
  } else if (config_.train.keep_best()) {
    set_link(checkpoints(), "best", state_.best_step);
  }
}

void Training::write_metrics() {
  window_.collect();
  const auto& records = window_.records();
  if (records.empty()) return;
  double loss = 0.0;
  for (const StepRecord& record : records) loss += record.loss;
  loss /= static_cast<double>(records.size());
  tick();
  const double seconds = state_.trained_s - window_start_s_;
  const double speed = seconds > 0.0 ? static_cast<double>(timed_tokens_) / seconds : 0.0;
  const std::uint64_t memory = runtime::peak_memory(parts_.device);
  shown_ = {state_.step, loss, speed, memory};

  const MetricRecord record{state_.step,
                            "train",
                            {{"loss", loss},
                             {"lr", last_lr_},
                             {"grad_norm", records.back().grad_norm},
                             {"tokens_per_s", speed},
                             {"data_wait_s", data_wait_s_},
                             {"memory_bytes", static_cast<double>(memory)},
                             {"elapsed_s", state_.trained_s}},
                            {}};
  metrics_->append(record);
  for (const auto& [name, value] : record.values) {
    events_->add_scalar("train/" + name, state_.step, value);
  }
  // Where a bar shows the same on a terminal, the lines would only chase it away.
  const bool bar = progress_enabled_ && ::isatty(STDERR_FILENO) == 1;
  log::write(
      bar ? log::Level::debug : log::Level::info,
      fmt::format("step {}/{}: loss {:.4f}, lr {:.3g}, gradient norm {:.3g}, {:.0f} tokens/s",
                  state_.step, config_.schedule.max_steps(), loss, last_lr_,
                  records.back().grad_norm, speed));
  window_.clear();
  timed_tokens_ = 0;
  data_wait_s_ = 0.0;
  window_start_s_ = state_.trained_s;
}

void Training::tick() {
  const Clock::time_point now = Clock::now();
  state_.trained_s += std::chrono::duration<double>(now - timer_).count();
  timer_ = now;
}

bool Training::evaluate() {
  window_.collect();  // a broken model is reported for its step, not for its evaluation
  PassOptions options;
  options.batch = parts_.micro_batch;
  options.max_batches = config_.train.eval_batches();
  options.precision = config_.train.precision();
  options.device = parts_.device;
  const Measured result = parts_.objective->measure(*parts_.model, *parts_.validation,
                                                    parts_.corpus, config_.data.seq_len(), options);
  const double loss = result.loss;
  const bool better = loss < state_.best_loss;
  observe_validation(config_.schedule, loss, state_.plateau);
  state_.validation_loss = loss;
  state_.evaluated_step = state_.step;
  if (better) state_.best_loss = loss;

  const MetricRecord record{state_.step, "validation", result.values, {}};
  metrics_->append(record);
  for (const auto& [name, value] : record.values) {
    events_->add_scalar("validation/" + name, state_.step, value);
  }
  log::info("step {}/{}: validation loss {:.4f}, {}{}", state_.step, config_.schedule.max_steps(),
            loss, result.words, better ? "" : fmt::format(" (best loss {:.4f})", state_.best_loss));
  return better;
}

void Training::save(bool is_best) {
  window_.collect();  // never save what is no longer finite
  const bool best = is_best && config_.train.keep_best();
  if (best) state_.best_step = state_.step;
  const data::Position position = parts_.loader->position();
  state_.loader_seed = position.seed;
  state_.loader_consumed = position.consumed;
  state_.window = window_.records();
  read_generators(parts_.device, state_);
  try {
    metrics_->sync();
    events_->flush();
    save_checkpoint(checkpoints(), *parts_.model, *parts_.optimizer, state_);
    if (best) set_link(checkpoints(), "best", state_.step);
    prune(checkpoints(), config_.train.keep_last(), state_.best_step);
  } catch (const EnvironmentError& e) {
    throw EnvironmentError(fmt::format(
        "{}; while saving step {}. {} Make room or give permission, then start the same command "
        "again",
        e.what(), state_.step,
        saved_step_ < 0 ? std::string("There is no earlier checkpoint.")
                        : fmt::format("The checkpoint of step {} is whole.", saved_step_)));
  }
  saved_step_ = state_.step;
  last_save_ = Clock::now();
}

Outcome Training::outcome(ExitCode code) const {
  return {code, folder_, state_.step, state_.validation_loss, state_.best_loss};
}

}  // namespace longconv::train
