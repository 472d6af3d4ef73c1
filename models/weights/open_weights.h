// A model out of a file, for everything but training from scratch: its tensors are the file's from
// the beginning, so nothing is drawn at random first and no weight is in memory twice.
#pragma once

#include "models/model.h"

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>

namespace longconv::models {

/// The model of `config` with the weights of a model.safetensors, on `device`, in eval mode;
/// tensors of floats are converted to `dtype` one at a time. Throws ConfigError as build() does,
/// CheckpointError as load_weights() does, for other dtypes than floats only where the model has
/// none.
std::shared_ptr<Model> open_weights(const ModelConfig& config, const std::filesystem::path& file,
                                    at::ScalarType dtype, c10::Device device);

}  // namespace longconv::models
