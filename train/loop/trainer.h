// One run, from a resolved configuration to a trained model in its run folder.
#pragma once

#include "core/base/error.h"
#include "train/config.h"

#include <filesystem>
#include <string>
#include <vector>

namespace longconv::train {

/// What a run is started with besides its configuration.
struct Launch {
  std::string config_text;  ///< the TOML file as given, for messages and the report
  std::string config_path;
  std::vector<std::string> overrides;
  std::string program;   ///< version and commit, for environment.json
  bool progress = true;  ///< a progress bar, if stderr is a terminal; false for --log-format json
  bool dry_run = false;  ///< build everything, one forward and backward pass, write nothing
};

/// How a run ended.
struct Outcome {
  ExitCode code = ExitCode::ok;  ///< ok or interrupted_saved
  std::filesystem::path folder;  ///< run folder
  std::int64_t step = 0;
  double validation_loss = 0.0;  ///< of the last evaluation, nats per token
  double best_validation_loss = 0.0;
};

/// Fills what depends on the data (model.vocab_size, model.l_max, run.name, run.dir, group
/// defaults) so that the resolved file shows it. Throws ConfigError, DataError.
void resolve(RunConfig& config, const std::string& config_path);

/// Trains (or resumes) and leaves the run folder of config.md. SIGINT and SIGTERM save a checkpoint
/// and end with interrupted_saved. Throws the errors of its parts; a checkpoint is never half
/// there.
Outcome train(RunConfig& config, const Launch& launch);

}  // namespace longconv::train
