// What the tensors of a Hyena language model say about its configuration, and what they cannot say:
// that comes from config.json, from the published model they are recognised as, or from overrides.
#pragma once

#include "models/weights/model_folder.h"
#include "models/weights/repairs.h"

#include <map>
#include <string>
#include <vector>

namespace longconv::models {

struct ModelFacts {
  std::unique_ptr<ModelFile> file;     ///< resolved
  std::string published;               ///< "HyenaDNA", ..; empty if it is none that is known
  std::string tokenizer;               ///< data::open_tokenizer's name, or empty
  std::vector<std::string> inferred;   ///< "model.l_max = 1026 (tensors)"
  std::vector<std::string> defaulted;  ///< keys that neither tensors nor config.json settle
};

/// Whether the names are those of a Hyena language model.
bool is_hyena(const NamedTensors& named);

/// `config`: config.json, flattened (source.h); `config_file` for messages. `overrides` count last.
/// Throws CheckpointError naming the tensor or config.json's key, ConfigError for an override.
ModelFacts hyena_facts(const NamedTensors& named, const std::map<std::string, std::string>& config,
                       const std::string& config_file, const std::vector<std::string>& overrides,
                       const std::string& where);

}  // namespace longconv::models
