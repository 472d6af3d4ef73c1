// [init]: a run that starts from the weights of another, all of them or all but the head, and
// parameters that stay as they are.
#pragma once

#include "models/model.h"
#include "train/config.h"

namespace longconv::train {

/// Whether a tensor belongs to a head, by the first part of its name.
bool is_head_tensor(const std::string& name);

/// Turns off the gradients of the parameters that init.freeze names. Call it before the optimiser
/// is made. Throws ConfigError at a pattern that matches nothing, and if nothing is left to train.
void freeze_parameters(const RunConfig& config, models::Model& model);

/// Copies the weights of init.from into the model, where it is; an M2-BERT of fewer positions is
/// extended to the model's (models/weights/extend.h). The head's are left out unless
/// init.load_head. Throws ConfigError at init.from for a folder that holds no model and at a key of
/// [model] that would read the same weights in another way; CheckpointError naming a tensor that is
/// missing, left over or of another shape.
void load_initial_weights(const RunConfig& config, models::Model& model);

}  // namespace longconv::train
