// From a model's weights to files that the Python loaders of the published models read: every name
// that their state dicts have, tensors that have several of them under each, bytes unchanged.
//
//   safetensors   model.safetensors, names as in the original checkpoints ("model.backbone...",
//                 "model.lm_head.weight"), and config.json in safari's and HyenaDNA's words
//   hf            model.safetensors, names of the Hugging Face port of HyenaDNA
//                 ("hyena.backbone...", "lm_head.weight"), and its config.json
//
// M2-BERT: safetensors has Composer's names ("model.bert..."), hf those of the folders on Hugging
// Face ("bert...", "cls..."); config.json is its code's BertConfig in both.
#pragma once

#include "models/config.h"

#include <filesystem>
#include <string>

namespace longconv::models {

/// Writes into `folder`, which exists. `weights` fit `config` and are a model.safetensors of ours.
/// Throws CheckpointError if they do not fit, ConfigError naming the key if the port has no place
/// for a setting and would compute something else, or if the family has no published layout.
void export_weights(const ModelConfig& config, const std::filesystem::path& weights,
                    const std::string& format, const std::filesystem::path& folder);

}  // namespace longconv::models
