// The progress bar: one line on a terminal's stderr, nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace longconv::train {

struct ProgressState {
  std::int64_t step = 0;           ///< optimiser steps done
  double loss = 0.0;               ///< NaN = not known yet: left out
  double tokens_per_s = 0.0;       ///< 0 = left out
  std::uint64_t memory_bytes = 0;  ///< 0 = left out
};

/// Draws "[=====>    ] 120/600 loss 3.21 81.2k tok/s ETA 1:20 mem 1.2 GB"; clears itself around log
/// messages (log::set_hooks). Not a terminal, or --log-format json: draws nothing. At most one bar
/// lives at a time; messages may come from any thread.
class Progress {
 public:
  /// `enabled` false (--log-format json), stderr no terminal, or TERM=dumb: every call does
  /// nothing.
  Progress(std::int64_t first_step, std::int64_t total_steps, bool enabled);
  /// Clears the line if finish() was not called (an error is on its way).
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Redraws, at most ten times a second (the last step always), so call it after every step.
  void update(const ProgressState& state);
  /// Leaves the last state on the screen and goes to the next line.
  void finish();
  /// The line as drawn, without control characters; `elapsed_s` since the first step. Shorter than
  /// `width` columns, so that the terminal never wraps it: the bar shrinks, then memory, speed, bar
  /// and loss are left out, in this order.
  [[nodiscard]] static std::string line(const ProgressState& state, std::int64_t first_step,
                                        std::int64_t total_steps, double elapsed_s, int width);

 private:
  void clear() const;
  void draw() const;
  std::int64_t first_step_;
  std::int64_t total_steps_;
  bool enabled_;
  bool visible_ = false;
  std::string text_;
  ProgressState state_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
  mutable std::mutex mutex_;  // never held while calling into log, whose mutex is taken first
};

}  // namespace longconv::train
