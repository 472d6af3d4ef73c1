// state.json: everything of a checkpoint but weights and optimiser tensors (no LibTorch here).
#pragma once

#include "train/config.h"
#include "train/optim/schedule.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

/// Loss (mean over the step's tokens, nats) and gradient norm of one optimiser step.
struct StepRecord {
  std::int64_t step = 0;  ///< counted from 1
  double loss = 0.0;
  double grad_norm = 0.0;
};

/// Keys of a configuration as (path, TOML value), list elements numbered.
using ConfigValues = std::vector<std::pair<std::string, std::string>>;

struct TrainState {
  std::int64_t step = 0;   ///< optimiser steps done
  double trained_s = 0.0;  ///< time they took, without evaluations and checkpoints
  PlateauState plateau;
  std::uint64_t loader_seed = 0;
  std::int64_t loader_consumed = 0;  ///< data::Position
  std::string cpu_rng;               ///< LibTorch's default CPU generator, raw bytes
  std::string device_rng;            ///< the GPU's generator, raw bytes; empty on the CPU
  std::int64_t evaluated_step = -1;  ///< of the last evaluation, -1 = none
  double validation_loss = std::numeric_limits<double>::quiet_NaN();
  std::int64_t best_step = -1;
  double best_loss = std::numeric_limits<double>::infinity();
  std::vector<StepRecord> window;  ///< steps since the last metric line
  std::string data_fingerprint;
  ConfigValues config;
};

/// Every key of `config` with its value.
ConfigValues config_values(const RunConfig& config);

/// JSON text; numbers survive exactly.
std::string to_json(const TrainState& state);
/// Throws CheckpointError naming `path` and the member.
TrainState from_json(const std::string& text, const std::string& path);

/// Throws CheckpointError naming every key of the model, the data, the optimiser and the arithmetic
/// that differs between `state` and the run about to resume from it. Places, devices, logging,
/// evaluation and the cut into micro-batches may differ; so may schedule.max_steps, with a warning.
void require_same_run(const TrainState& state, const RunConfig& config,
                      const std::string& data_fingerprint, const std::filesystem::path& checkpoint);

}  // namespace longconv::train
