// Times whole training steps of a configuration, without data.
#pragma once

#include "apps/commands.h"

namespace longconv::apps {

/// The trainer's step (forward, backward, clip, update) on random ids: median time, tokens/s, peak
/// memory, and the share of its long convolutions, which are timed alone as the model calls them
/// (filters, direction, gates), forward and backward, and multiplied by their number. Throws
/// ConfigError, EnvironmentError.
ExitCode bench_model(const BenchOptions& options);

}  // namespace longconv::apps
