// Weights on disk: named tensors of a module to safetensors and back, and the model folder
//
//   config.toml         [model], everything `build` needs
//   model.safetensors   the weights, names of models.md
//   tokenizer/          copied from the corpus, if there is one
//   README.md           card: family, size, checksum, and what the caller adds
//
// Tensors with several names (models/layers/aliases.h) are stored once, under their first name. A
// file may hold further names, as published files do; their values must then agree.
#pragma once

#include "models/model.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace longconv::models {

/// Every parameter and buffer by its name in models.md (aliases of one tensor are stored once).
std::map<std::string, at::Tensor> state_dict(const torch::nn::Module& module);

/// Writes model.safetensors atomically; metadata carries "format" = "pt" and what the caller adds.
void save_weights(const torch::nn::Module& module, const std::filesystem::path& file,
                  const std::map<std::string, std::string>& metadata = {});

/// Loads in place; nothing is changed unless everything fits. A tensor that is missing, left over
/// or of the wrong shape or dtype is a CheckpointError that names the file, the tensor, what was
/// expected and what came.
void load_weights(torch::nn::Module& module, const std::filesystem::path& file);

/// config.toml of a model folder.
struct ModelFile : config::Section {
  ModelFile() : Section(nullptr, "", "A model") {}
  ModelConfig model{this};
};

/// Writes the folder (created if needed): each file appears whole or not at all. `config` is the
/// resolved one the model was built from; `tokenizer` a folder to copy, or empty; `card` goes into
/// README.md. Throws EnvironmentError (disk, permission).
void write_model_folder(const std::filesystem::path& folder, const ModelConfig& config,
                        const torch::nn::Module& module, const std::filesystem::path& tokenizer,
                        const std::string& card = {});

/// A model folder, read.
struct OpenedModel {
  std::unique_ptr<ModelFile> file;
  std::shared_ptr<Model> model;     ///< weights loaded, on the CPU, in eval mode
  std::filesystem::path tokenizer;  ///< empty if the folder has none
};

/// Throws CheckpointError if it is no model folder, ConfigError or CheckpointError on bad contents.
OpenedModel open_model_folder(const std::filesystem::path& folder);

}  // namespace longconv::models
