#include "train/loop/signals.h"

namespace longconv::train {
namespace {

volatile sig_atomic_t received_signal = 0;

extern "C" void remember(int signal_number) {
  received_signal = signal_number;
  // Async-signal-safe; so that the next one kills a run that does not come to the end of its step.
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = &remember;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

int StopSignals::received() const { return received_signal; }

}  // namespace longconv::train
