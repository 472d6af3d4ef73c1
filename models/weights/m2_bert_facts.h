// What the tensors of an M2-BERT say about its configuration, and what they cannot say: that comes
// from config.json, from the published models (models.md 3.3, 3.8), or from overrides.
#pragma once

#include "models/weights/facts.h"

namespace longconv::models {

/// Whether the names are M2-BERT's.
bool is_m2_bert(const NamedTensors& named);

/// Throws CheckpointError naming the tensor or config.json's key, ConfigError for an override.
ModelFacts m2_bert_facts(const FactSources& from);

}  // namespace longconv::models
