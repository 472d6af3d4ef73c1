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

#include "core/files/safetensors.h"
#include "models/layers/aliases.h"
#include "models/model.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace longconv::models {

/// The word of files for a tensor's dtype, and the way back. UnsupportedError for what has none.
Dtype file_dtype(at::ScalarType type);
at::ScalarType scalar_type(Dtype dtype);

/// Every parameter and buffer by its name in models.md (aliases of one tensor are stored once).
std::map<std::string, at::Tensor> state_dict(const torch::nn::Module& module);

/// Writes model.safetensors atomically; metadata carries "format" = "pt" and what the caller adds.
void save_weights(const torch::nn::Module& module, const std::filesystem::path& file,
                  const std::map<std::string, std::string>& metadata = {});

/// Copies `views` into `tensors` of the same names, wherever these are; nothing is changed unless
/// everything fits. Throws as check_fits() does.
void copy_weights(std::map<std::string, at::Tensor>& tensors,
                  const std::map<std::string, files::TensorView>& views, const std::string& where);

/// Loads in place; nothing is changed unless everything fits. A tensor that is missing, left over
/// or of the wrong shape or dtype is a CheckpointError that names the file, the tensor, what was
/// expected and what came.
void load_weights(torch::nn::Module& module, const std::filesystem::path& file);

/// config.toml of a model folder.
struct ModelFile : config::Section {
  ModelFile() : Section(nullptr, "", "A model") {}
  ModelConfig model{this};
};

/// Every further name of a tensor in the tree, with full names (models/layers/aliases.h).
std::vector<Alias> all_aliases(const torch::nn::Module& module);

/// Further names folded into the name they stand for; their values must agree, else CheckpointError
/// with `where`. Returns how many there were.
std::size_t fold_aliases(std::map<std::string, files::TensorView>& tensors,
                         const torch::nn::Module& module, const std::string& where);

/// Throws CheckpointError, naming the tensor, unless `views` have the names, shapes and dtypes of
/// `wanted` (state_dict() of a model, the meta device's too).
void check_fits(const std::map<std::string, at::Tensor>& wanted,
                const std::map<std::string, files::TensorView>& views, const std::string& where);

/// Writes README.md (family, size, the checksum of the folder's model.safetensors, `card`), then
/// config.toml: a folder with a configuration is a whole one. `sha256` of that file, if the caller
/// knows it; empty: it is read again. Throws EnvironmentError.
void finish_model_folder(const std::filesystem::path& folder, const ModelConfig& config,
                         std::int64_t parameters, const std::string& card,
                         const std::string& sha256 = {});

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
