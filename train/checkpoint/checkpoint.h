// Saving and restoring a training run: weights, optimiser, generators, position.
#pragma once

#include "models/model.h"
#include "train/checkpoint/folder.h"
#include "train/checkpoint/state.h"
#include "train/optim/adamw.h"

#include <c10/core/Device.h>

#include <filesystem>

namespace longconv::train {

/// State of LibTorch's default generators, for TrainState: the CPU's, and `device`'s if it is a
/// GPU.
void read_generators(c10::Device device, TrainState& state);
/// Restores them; a GPU whose state is missing (the checkpoint was written on a CPU) keeps its
/// seed.
void write_generators(c10::Device device, const TrainState& state);

/// Writes checkpoints/step_N and points `latest` at it. Throws EnvironmentError (full disk); what
/// was there before stays valid, nothing half-written remains.
std::filesystem::path save_checkpoint(const std::filesystem::path& checkpoints,
                                      const models::Model& model, const AdamW& optimizer,
                                      const TrainState& state);

/// Loads state.json of a whole checkpoint. Throws CheckpointError.
TrainState load_state(const std::filesystem::path& folder);

/// Copies weights and optimiser state into place, on whatever device they are. Throws
/// CheckpointError naming file and tensor.
void load_tensors(const std::filesystem::path& folder, models::Model& model, AdamW& optimizer);

}  // namespace longconv::train
