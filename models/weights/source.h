// A file or folder of weights that others wrote, as named tensors and hyper-parameters; which model
// they belong to is not known here (import.h).
//
// Files: safetensors (also in shards, by their index), and what torch.save wrote: bare state dicts,
// Lightning's `state_dict`, Composer's `state` -> `model`. A folder is read in this order, and all
// else in it is ignored and named:
//
//   model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.pt,
//   weights.ckpt, *.ckpt if there is only one; with config.json beside it
#pragma once

#include "core/files/safetensors.h"
#include "core/files/torch_file.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace longconv::models {

struct Source {
  std::filesystem::path file;                ///< that was read; of shards, their index
  std::vector<std::filesystem::path> files;  ///< it, and its shards
  std::string layout;                        ///< "Lightning checkpoint, zip", ..
  /// Views as long as the source lives; contiguous, any dtype.
  std::map<std::string, files::TensorView> tensors;
  /// Names in the state dict whose values are no tensors that can be read, and why: an error only
  /// where a tensor is needed.
  std::map<std::string, std::string> unreadable;
  /// config.json: "layer.l_max" -> "1026", values as TOML writes them; lists are left out.
  std::map<std::string, std::string> config;
  std::filesystem::path config_file;  ///< empty if there is none
  std::vector<std::string> ignored;   ///< other files of the folder

  std::vector<std::unique_ptr<files::SafetensorsFile>> shards;  ///< what the views point into
  std::unique_ptr<files::TorchFile> torch;
};

/// Whether a file begins as torch.save's do, or is the index of shards.
bool is_weights_file(const std::filesystem::path& file);
/// Whether open_source would find a file in the folder.
bool holds_weights(const std::filesystem::path& folder);

/// Throws CheckpointError: nothing there, a file of no known kind, one that is damaged.
Source open_source(const std::filesystem::path& path);

}  // namespace longconv::models
