// One run's state: train() builds one and runs it. The loop and its step are in trainer.cpp, the
// book-keeping (metric lines, evaluations, checkpoints) in training.cpp.
#pragma once

#include "train/checkpoint/state.h"
#include "train/config.h"
#include "train/loop/parts.h"
#include "train/loop/step_window.h"
#include "train/loop/trainer.h"
#include "train/report/metrics.h"
#include "train/report/progress.h"
#include "train/report/tensorboard.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>

namespace longconv::train {

/// Forward and backward pass over one micro-batch on the model's device: adds to the gradients its
/// share of the whole batch's mean. Returns its share of the mean loss, still on the device.
at::Tensor accumulate_gradient(Parts& parts, const data::Batch& batch,
                               const std::string& precision);

/// What the passes of one optimiser step give.
struct StepPasses {
  at::Tensor loss;           ///< mean over the whole batch, still on the device
  std::int64_t tokens = 0;   ///< inputs, padding included
  double data_wait_s = 0.0;  ///< how long they waited for batches
};

/// One optimiser step's forward and backward passes over the loader's next batches: gradients hold
/// the mean over the whole batch.
StepPasses accumulate_gradients(Parts& parts, const std::string& precision);

class Training {
 public:
  Training(const RunConfig& config, Parts& parts, std::filesystem::path folder, bool progress);

  /// Takes up a checkpoint: weights, optimiser, schedule, generators, position. Throws
  /// CheckpointError if it is of another run.
  void resume_from(const std::filesystem::path& checkpoint);
  /// True if there is nothing left to do.
  [[nodiscard]] bool finished() const { return state_.step >= config_.schedule.max_steps(); }
  /// Trains to the end, or to the first SIGINT or SIGTERM.
  Outcome run();
  /// What is known so far.
  [[nodiscard]] Outcome outcome(ExitCode code) const;

 private:
  using Clock = std::chrono::steady_clock;

  void step();
  void write_metrics();
  /// Returns true if the validation loss is the lowest so far.
  bool evaluate();
  void save(bool is_best);
  void tick();  ///< adds the time since timer_ to the time trained
  [[nodiscard]] double rate(double peak) const;
  [[nodiscard]] std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  /// Runs `work` and takes its time out of the throughput measurement.
  template <class Work>
  void off_the_clock(Work work);

  const RunConfig& config_;
  Parts& parts_;
  std::filesystem::path folder_;
  TrainState state_;
  StepWindow window_;
  std::optional<MetricsLog> metrics_;
  std::optional<EventWriter> events_;
  std::optional<Progress> progress_;
  bool progress_enabled_;
  ProgressState shown_ = {0, std::numeric_limits<double>::quiet_NaN(), 0.0, 0};
  double last_lr_ = 0.0;
  std::int64_t saved_step_ = -1;
  std::int64_t timed_tokens_ = 0;  ///< since the last metric line
  double data_wait_s_ = 0.0;       ///< likewise
  double window_start_s_ = 0.0;    ///< time trained when the last metric line was written
  Clock::time_point timer_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
};

}  // namespace longconv::train
