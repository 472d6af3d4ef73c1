#include "train/loop/training.h"

#include "core/base/log.h"
#include "core/runtime/device.h"
#include "train/checkpoint/checkpoint.h"
#include "train/evaluation/perplexity.h"
#include "train/loop/signals.h"
#include "train/objectives/cross_entropy.h"
#include "train/optim/schedule.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace longconv::train {
namespace fs = std::filesystem;

at::Tensor accumulate_gradients(Parts& parts, const std::string& precision) {
  at::Tensor sum;
  for (std::int64_t pass = 0; pass < parts.passes; ++pass) {
    const data::Batch batch = parts.loader->next();
    const at::Tensor input = batch.input.to(parts.device, /*non_blocking=*/true);
    const at::Tensor target = batch.target.to(parts.device, /*non_blocking=*/true);
    at::Tensor loss;
    {
      const runtime::Autocast autocast(parts.device, precision);
      loss = cross_entropy(parts.model->logits(input), target);
    }
    // Every pass has as many tokens, so the mean of the means is the mean.
    loss = loss / static_cast<double>(parts.passes);
    loss.backward();
    sum = sum.defined() ? sum + loss.detach() : loss.detach();
  }
  return sum;
}

Training::Training(const RunConfig& config, Parts& parts, fs::path folder, bool progress)
    : config_(config), parts_(parts), folder_(std::move(folder)), progress_enabled_(progress) {
  state_.config = config_values(config_);
  state_.data_fingerprint = parts_.corpus.fingerprint;
}

void Training::resume_from(const fs::path& checkpoint) {
  TrainState loaded = load_state(checkpoint);
  require_same_run(loaded, config_, state_.data_fingerprint, checkpoint);
  load_tensors(checkpoint, *parts_.model, *parts_.optimizer);
  parts_.loader->seek({loaded.loader_seed, loaded.loader_consumed});
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

double Training::rate(double peak) const {
  return learning_rate(config_.schedule, peak, state_.step, state_.plateau);
}

void Training::step() {
  const at::Tensor loss = accumulate_gradients(parts_, config_.train.precision());
  const at::Tensor norm = clip_gradients(parts_.optimizer->gradients(), config_.optim.clip_norm());
  parts_.optimizer->step([this](double peak) { return rate(peak); });
  parts_.optimizer->zero_grad();
  last_lr_ = rate(config_.optim.lr());
  ++state_.step;
  ++timed_steps_;
  window_.add(state_.step, loss, norm);
  // On the CPU a look costs nothing; on a GPU it would wait, so there it is left to metric lines.
  if (parts_.device.is_cpu()) {
    window_.collect();
    shown_.loss = window_.records().back().loss;
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
  const double tokens =
      static_cast<double>(timed_steps_ * config_.data.batch_size() * config_.data.seq_len());
  const double speed = seconds > 0.0 ? tokens / seconds : 0.0;
  const std::uint64_t memory = runtime::peak_memory(parts_.device);
  shown_ = {state_.step, loss, speed, memory};

  const MetricRecord record{state_.step,
                            "train",
                            {{"loss", loss},
                             {"lr", last_lr_},
                             {"grad_norm", records.back().grad_norm},
                             {"tokens_per_s", speed},
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
  timed_steps_ = 0;
  window_start_s_ = state_.trained_s;
}

void Training::tick() {
  const Clock::time_point now = Clock::now();
  state_.trained_s += std::chrono::duration<double>(now - timer_).count();
  timer_ = now;
}

template <class Work>
void Training::off_the_clock(Work work) {
  runtime::synchronize(parts_.device);
  tick();
  work();
  timer_ = Clock::now();
}

bool Training::evaluate() {
  window_.collect();  // a broken model is reported for its step, not for its evaluation
  PerplexityOptions options;
  options.seq_len = config_.data.seq_len();
  options.batch = parts_.micro_batch;
  options.max_batches = config_.train.eval_batches();
  options.precision = config_.train.precision();
  options.device = parts_.device;
  const PerplexityResult result = perplexity(*parts_.model, *parts_.validation, options);
  const double loss = result.loss();
  const double bits =
      result.bits_per_byte(parts_.corpus.validation_tokens, parts_.corpus.validation_bytes);
  const bool better = loss < state_.best_loss;
  observe_validation(config_.schedule, loss, state_.plateau);
  state_.validation_loss = loss;
  state_.evaluated_step = state_.step;
  if (better) state_.best_loss = loss;

  const MetricRecord record{state_.step,
                            "validation",
                            {{"loss", loss},
                             {"perplexity", result.perplexity()},
                             {"bits_per_byte", bits},
                             {"tokens", static_cast<double>(result.tokens)}},
                            {}};
  metrics_->append(record);
  for (const auto& [name, value] : record.values) {
    events_->add_scalar("validation/" + name, state_.step, value);
  }
  log::info("step {}/{}: validation loss {:.4f}, perplexity {:.2f}, {:.4f} bits per byte{}",
            state_.step, config_.schedule.max_steps(), loss, result.perplexity(), bits,
            better ? "" : fmt::format(" (best loss {:.4f})", state_.best_loss));
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

Outcome Training::run() {
  const TrainSection& options = config_.train;
  const std::int64_t last_step = config_.schedule.max_steps();
  metrics_.emplace(folder_ / "metrics.jsonl", state_.step);
  events_.emplace(folder_);
  progress_.emplace(state_.step, last_step, progress_enabled_);
  parts_.model->train();
  timer_ = last_save_ = Clock::now();
  window_start_s_ = state_.trained_s;
  const auto every = [this](std::int64_t period) {
    return period > 0 && state_.step % period == 0;
  };

  const StopSignals stop;
  while (state_.step < last_step && stop.received() == 0) {
    step();
    const bool last = state_.step == last_step;
    if (last || every(options.log_every())) write_metrics();

    bool save_due = last || every(options.checkpoint_every()) || stop.received() != 0;
    if (const double minutes = options.checkpoint_minutes(); minutes > 0.0) {
      save_due |=
          Clock::now() - last_save_ >= std::chrono::duration<double, std::ratio<60>>(minutes);
    }
    bool is_best = false;
    if (parts_.validation && (last || every(options.eval_every()))) {
      off_the_clock([&] { is_best = evaluate(); });
    }
    if (save_due || (is_best && options.keep_best())) off_the_clock([&] { save(is_best); });
    shown_.step = state_.step;
    progress_->update(shown_);
  }
  progress_->finish();

  if (state_.step == last_step) return outcome(ExitCode::ok);
  if (state_.step != saved_step_) {  // the signal came after the step's own look for it
    if (state_.step == 0) {
      throw InterruptedError("interrupted before the first step; there is nothing to save");
    }
    save(/*is_best=*/false);
  }
  log::info("signal {}: saved step {} in {}; start the same command again to go on",
            stop.received(), state_.step, checkpoints().string());
  return outcome(ExitCode::interrupted_saved);
}

}  // namespace longconv::train
