// The progress bar: one line on a terminal's stderr, nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace longconv::train {

struct ProgressState {
  std::int64_t step = 0;
  double loss = 0.0;
  double tokens_per_s = 0.0;
  std::uint64_t memory_bytes = 0;
};

/// Draws "[=====>    ] 120/600 loss 3.21 81.2k tok/s ETA 1:20 mem 1.2 GB"; clears itself around log
/// messages (log::set_hooks). Not a terminal, or --log-format json: draws nothing.
class Progress {
 public:
  Progress(std::int64_t first_step, std::int64_t total_steps, bool enabled);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(const ProgressState& state);
  void finish();
  /// The line as drawn, without control characters; `elapsed_s` since the first step.
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
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
};

}  // namespace longconv::train
