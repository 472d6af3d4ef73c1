#include "train/loop/trainer.h"

#include "core/base/log.h"
#include "core/runtime/device.h"
#include "models/layers/filter_store.h"
#include "train/checkpoint/folder.h"
#include "train/evaluation/split_batches.h"
#include "train/loop/feed.h"
#include "train/loop/initial_weights.h"
#include "train/loop/locked_run.h"
#include "train/loop/parts.h"
#include "train/loop/rehearsal.h"
#include "train/loop/signals.h"
#include "train/loop/step_window.h"
#include "train/loop/training.h"
#include "train/optim/schedule.h"
#include "train/report/html.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <chrono>
#include <new>
#include <optional>

namespace longconv::train {
namespace fs = std::filesystem;
// ---- the loop ----------------------------------------------------------------------------------

at::Tensor accumulate_gradient(Parts& parts, const data::Batch& batch,
                               const std::string& precision) {
  at::Tensor loss;
  {
    const runtime::Autocast autocast(parts.device, precision);
    loss =
        parts.objective->loss(parts.model->logits(model_input(batch, parts.device)), batch.target);
  }
  loss = loss / batch.divisor;
  loss.backward();
  return loss.detach();
}

StepPasses accumulate_gradients(Parts& parts, const std::string& precision) {
  // One pass alone has nothing to share, and gives its filters' memory back as it goes.
  std::optional<models::SharedFilters> filters;
  const std::int64_t passes = parts.loader->passes();
  if (passes > 1) filters.emplace(*parts.model);
  StepPasses out;
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    const auto asked = std::chrono::steady_clock::now();
    const data::Batch batch = parts.loader->next();
    out.data_wait_s +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
    out.tokens += batch.input.numel();
    const at::Tensor loss = accumulate_gradient(parts, batch, precision);
    out.loss = out.loss.defined() ? out.loss + loss : loss;
  }
  if (filters) filters->backward();
  return out;
}

double Training::rate(double peak) const {
  return learning_rate(config_.schedule, peak, state_.step, state_.plateau);
}

void Training::step() {
  const StepPasses passes = accumulate_gradients(parts_, config_.train.precision());
  const at::Tensor norm = clip_gradients(parts_.optimizer->gradients(), config_.optim.clip_norm());
  parts_.optimizer->step([this](double peak) { return rate(peak); });
  parts_.optimizer->zero_grad();
  last_lr_ = rate(config_.optim.lr());
  ++state_.step;
  timed_tokens_ += passes.tokens;
  data_wait_s_ += passes.data_wait_s;
  window_.add(state_.step, passes.loss, norm);
  // On the CPU a look costs nothing; on a GPU it would wait, so there it is left to metric lines.
  if (parts_.device.is_cpu()) {
    window_.collect();
    shown_.loss = window_.records().back().loss;
  }
}

template <class Work>
void Training::off_the_clock(Work work) {
  runtime::synchronize(parts_.device);
  tick();
  work();
  timer_ = Clock::now();
}

Outcome Training::run() {
  const TrainSection& options = config_.train;
  const std::int64_t last_step = config_.schedule.max_steps();
  const StopSignals stop;
  metrics_.emplace(folder_ / "metrics.jsonl", state_.step);
  events_.emplace(folder_);
  parts_.model->train();
  log::info("libraries and memory made ready in {:.2f} s by a pass that counts for nothing",
            rehearse(parts_, config_));
  progress_.emplace(state_.step, last_step, progress_enabled_);
  timer_ = last_save_ = Clock::now();
  window_start_s_ = state_.trained_s;
  const auto every = [this](std::int64_t period) {
    return period > 0 && state_.step % period == 0;
  };

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

// ---- what comes before it ----------------------------------------------------------------------

namespace {

/// The checkpoint to go on from, or an empty path for a fresh start.
fs::path choose_checkpoint(const RunConfig& config, const fs::path& own) {
  const std::string& word = config.train.resume();
  if (word == "never") {
    if (!list_steps(own).empty()) {
      config.train.resume.fail(fmt::format(
          "expected a run folder without checkpoints for \"never\", but {} has some; name another "
          "one with run.dir=..., or use \"auto\" to go on",
          own.string()));
    }
    return {};
  }
  const fs::path newest = newest_whole(own);
  if (word == "auto") return newest;

  fs::path wanted = word;
  if (fs::is_directory(wanted / "checkpoints")) wanted = newest_whole(wanted / "checkpoints");
  if (const std::string damage = find_damage(wanted); !damage.empty()) {
    throw CheckpointError(
        fmt::format("train.resume = \"{}\": expected a whole checkpoint, but {}", word, damage));
  }
  wanted = fs::canonical(wanted);
  if (newest.empty() || fs::canonical(newest) == wanted) return wanted;
  if (wanted.parent_path() == fs::canonical(own)) {
    config.train.resume.fail(fmt::format(
        "the run folder already has later checkpoints ({}), which going back to {} would mix up; "
        "name another folder with run.dir=...",
        newest.filename().string(), wanted.filename().string()));
  }
  log::info("train.resume = \"{}\" was taken up before; going on from {}", word, newest.string());
  return newest;
}

/// Bytes of weights, gradients and the optimiser's two moments.
std::int64_t state_bytes(const models::Model& model) {
  std::int64_t bytes = 0;
  for (const at::Tensor& p : model.parameters()) {
    bytes += static_cast<std::int64_t>(p.nbytes()) * (p.requires_grad() ? 4 : 1);
  }
  return bytes;
}

void announce(const RunConfig& config, const Parts& parts) {
  std::int64_t parameters = 0;
  for (const at::Tensor& p : parts.model->parameters()) parameters += p.numel();
  const auto& tokenizer = parts.corpus.tokenizer;
  log::info(
      "model {}: {} parameters in {} groups, {} bytes with gradients and optimiser; {}, {} on {}",
      config.model.family(), parameters, parts.optimizer->group_count(), state_bytes(*parts.model),
      tokenizer ? tokenizer->describe() : config.model.head.kind(), config.train.precision(),
      parts.device.str());
  log::info("{}: {} steps of {} rows x {} tokens ({} passes each); the data have {} rows",
            config.data.task(), config.schedule.max_steps(), config.data.batch_size(),
            config.data.seq_len(), cut_of_batch(config).passes, parts.train->size());
}

/// One forward and backward pass; nothing is written.
Outcome dry_run(const RunConfig& config, Parts& parts) {
  parts.model->train();
  StepWindow window;
  const at::Tensor loss = accumulate_gradients(parts, config.train.precision()).loss;
  const at::Tensor norm = clip_gradients(parts.optimizer->gradients(), config.optim.clip_norm());
  window.add(1, loss, norm);
  window.collect();
  log::info("dry run: loss {:.4f}, gradient norm {:.3g}, {} bytes at the peak; nothing was written",
            window.records().front().loss, window.records().front().grad_norm,
            runtime::peak_memory(parts.device));
  return {ExitCode::ok, config.run.dir(), 0, 0.0, 0.0};
}

Outcome train_in(const LockedRun& folder, RunConfig& config, const Launch& launch) {
  const fs::path checkpoint = choose_checkpoint(config, folder.checkpoints());
  Parts parts = build_parts(config);
  Training training(config, parts, folder.path(), launch.progress);
  if (checkpoint.empty()) {
    load_initial_weights(config, *parts.model);
  } else {
    training.resume_from(checkpoint);
  }

  const fs::path report = folder.path() / "report.html";
  if (training.finished()) {
    const Outcome outcome = training.outcome(ExitCode::ok);
    log::info(
        "{}: this run is finished: step {}, validation loss {:.4f}; raise schedule.max_steps to "
        "go on, or name another run.dir",
        folder.path().string(), outcome.step, outcome.validation_loss);
    if (!fs::exists(report)) write_html_report({folder.path()}, report);
    return outcome;
  }
  folder.describe(config, launch, parts.corpus.tokenizer.get(),
                  {{"device", parts.device.str()},
                   {"libtorch", TORCH_VERSION},
                   {"threads", std::to_string(at::get_num_threads())},
                   {"corpus_fingerprint", parts.corpus.fingerprint}});
  announce(config, parts);
  if (!checkpoint.empty()) log::info("going on from {}", checkpoint.string());

  const Outcome outcome = training.run();
  if (outcome.code == ExitCode::ok) {
    write_html_report({folder.path()}, report);
    log::info("finished in {}: validation loss {:.4f}, best {:.4f}", folder.path().string(),
              outcome.validation_loss, outcome.best_validation_loss);
  }
  return outcome;
}

}  // namespace

Outcome train(RunConfig& config, const Launch& launch) {
  resolve_keys(config, launch.config_path);
  const char* const advice =
      "the batch does not fit; make data.micro_batch smaller (gradients are then accumulated, the "
      "result stays the same), or use train.precision = \"bf16\"";
  try {
    if (launch.dry_run) {
      Parts parts = build_parts(config);
      load_initial_weights(config, *parts.model);
      announce(config, parts);
      return dry_run(config, parts);
    }
    const LockedRun folder(config.run.dir());
    return train_in(folder, config, launch);
  } catch (const c10::OutOfMemoryError& e) {
    throw MemoryError(fmt::format("out of memory: {}: {}", advice, e.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    throw MemoryError(fmt::format("out of memory: {}", advice));
  }
}

}  // namespace longconv::train
