// Everything a run is made of, built from its configuration before the first step.
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/task_data.h"
#include "models/model.h"
#include "train/config.h"
#include "train/objectives/objective.h"
#include "train/optim/adamw.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

namespace longconv::train {

struct Parts {
  data::Corpus corpus;
  std::shared_ptr<const data::Dataset> train;
  std::shared_ptr<const data::Dataset> validation;  ///< nullptr if the corpus has none
  c10::Device device = c10::kCPU;
  std::shared_ptr<models::Model> model;  ///< on `device`, in its dtype
  const Objective* objective = nullptr;  ///< that of model.head.kind
  std::unique_ptr<AdamW> optimizer;
  std::unique_ptr<data::Loader> loader;
  std::int64_t micro_batch = 1;  ///< rows per forward pass, behind the stages of data.stage
};

/// The part of resolve() that needs no model: names, shapes, and the checks of keys against each
/// other.
void resolve_keys(RunConfig& config, const std::string& config_path);

/// Applies train.precision and train.long_conv to the whole process.
void set_arithmetic(const TrainSection& train);

/// Seeds all generators and builds; appends the default groups to config.optim.group. Throws
/// ConfigError, DataError, EnvironmentError (no such device).
Parts build_parts(RunConfig& config);

}  // namespace longconv::train
