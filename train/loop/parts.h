// Everything a run is made of, built from its configuration before the first step.
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/language_data.h"
#include "models/model.h"
#include "train/config.h"
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
  std::unique_ptr<AdamW> optimizer;
  std::unique_ptr<data::Loader> loader;
  std::int64_t micro_batch = 1;  ///< windows per forward pass
  std::int64_t passes = 1;       ///< forward passes per optimiser step
};

/// The part of resolve() that needs no model: names, vocab_size, l_max, and the checks of keys
/// against each other. Opens the corpus only to learn the vocabulary's size.
void resolve_keys(RunConfig& config, const std::string& config_path);

/// Applies train.precision and train.long_conv to the whole process.
void set_arithmetic(const TrainSection& train);

/// Seeds all generators and builds; appends the default groups to config.optim.group. Throws
/// ConfigError, DataError, EnvironmentError (no such device).
Parts build_parts(RunConfig& config);

}  // namespace longconv::train
