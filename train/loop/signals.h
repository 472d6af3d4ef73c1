// SIGINT and SIGTERM ask a run to stop after the step in hand; a second one ends it at once.
#pragma once

#include <signal.h>

namespace longconv::train {

/// While alive, the first SIGINT or SIGTERM is remembered and both go back to their default action.
/// One at a time; the earlier handlers return on destruction.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came, or 0.
  [[nodiscard]] int received() const;

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

}  // namespace longconv::train
