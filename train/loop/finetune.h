// Fine-tuning as GLUE's tables have it (models.md 3.6): one configuration, a run for each seed,
// every one from the same weights; what counts is each run's last evaluation, and their mean.
#pragma once

#include "train/loop/trainer.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

struct SeedRun {
  std::int64_t seed = 0;
  Outcome outcome;
  std::vector<std::pair<std::string, double>> values;  ///< of the last evaluation
};

/// Trains (or goes on with) the runs, one after the other, in `run.dir`/seed_N for each of
/// finetune.seeds, or in run.dir itself if there are none. `config` is launch.config_path with
/// launch.overrides. An interrupted run is the last of what is returned. Throws ConfigError at
/// init.from if it names nothing to start from, at finetune.seeds for a seed that is listed twice,
/// and what train() throws.
std::vector<SeedRun> finetune(RunConfig& config, const Launch& launch);

/// The mean over the runs of each value that all of them have, in the first one's order.
std::vector<std::pair<std::string, double>> mean_values(const std::vector<SeedRun>& runs);

}  // namespace longconv::train
