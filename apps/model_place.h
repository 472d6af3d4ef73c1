// From a folder the user names to the parts of a model on disk: what eval, generate, inspect and
// bench share. No LibTorch here; open_model.h builds the model itself.
#pragma once

#include "core/config/section.h"
#include "train/config.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace longconv::data {
class Tokenizer;
}

namespace longconv::apps {

/// Where a model's parts lie on disk.
struct ModelPlace {
  std::filesystem::path folder;   ///< checkpoint or model folder: model.safetensors lies in it
  std::filesystem::path weights;  ///< folder/model.safetensors
  std::filesystem::path config;   ///< TOML that the model was built from
  std::filesystem::path run;      ///< run folder, or empty for a model folder
};

/// Resolves a run folder (its best, else latest checkpoint), a checkpoint folder or a model folder.
/// Throws CheckpointError saying what was expected; also for a damaged checkpoint.
ModelPlace find_model(const std::filesystem::path& folder);

/// Optimiser steps of a checkpoint folder, 0 for a model folder.
std::int64_t step_of(const ModelPlace& place);

/// The run's (or model folder's) configuration with `overrides` applied. Throws ConfigError.
std::unique_ptr<train::RunConfig> load_config(const ModelPlace& place,
                                              const std::vector<std::string>& overrides);

/// The tokenizer the model speaks: data.tokenizer, else the model's or run's own folder, else the
/// corpus's. Throws DataError if there is none or it has more ids than the model.
std::shared_ptr<const data::Tokenizer> load_tokenizer(const ModelPlace& place,
                                                      const train::RunConfig& config);

/// Fills model.l_max and model.vocab_size where the file leaves them to the data, for commands that
/// need shapes but no data. Throws ConfigError at model.vocab_size if the corpus is not there.
void fill_shapes(train::RunConfig& config);

}  // namespace longconv::apps
