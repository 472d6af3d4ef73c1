// From a model and [optim] to the optimiser that trains it.
#pragma once

#include "models/model.h"
#include "train/optim/adamw.h"
#include "train/optim/groups.h"

#include <memory>
#include <vector>

namespace longconv::train {

/// Every parameter that requires a gradient once, with all its names and the model's override.
std::vector<ParameterInfo> parameter_infos(const models::Model& model);

/// AdamW over the model's parameters where they are now (move the model to its device first).
/// Throws ConfigError for betas that are no two numbers in [0, 1) or a group that matches nothing.
std::unique_ptr<AdamW> make_optimizer(const models::Model& model, const OptimConfig& config);

}  // namespace longconv::train
