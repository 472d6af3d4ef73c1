// What the tensors of a Hyena language model say about its configuration, and what they cannot say:
// that comes from config.json, from the published model they are recognised as, or from overrides.
#pragma once

#include "models/weights/facts.h"

namespace longconv::models {

/// Whether the names are those of a Hyena language model.
bool is_hyena(const NamedTensors& named);

/// Throws CheckpointError naming the tensor or config.json's key, ConfigError for an override.
ModelFacts hyena_facts(const FactSources& from);

}  // namespace longconv::models
