// Weights on disk: named tensors of a module to safetensors and back.
#pragma once

#include "models/model.h"

#include <filesystem>
#include <map>
#include <string>

namespace longconv::models {

/// Every parameter and buffer by its name in models.md (aliases of one tensor are stored once).
std::map<std::string, at::Tensor> state_dict(const torch::nn::Module& module);

/// Writes model.safetensors atomically; metadata carries "format" = "pt" and what the caller adds.
void save_weights(const torch::nn::Module& module, const std::filesystem::path& file,
                  const std::map<std::string, std::string>& metadata = {});

/// Loads in place. A tensor that is missing, left over or of the wrong shape or dtype is a
/// CheckpointError that names the file, the tensor, what was expected and what came.
void load_weights(torch::nn::Module& module, const std::filesystem::path& file);

}  // namespace longconv::models
