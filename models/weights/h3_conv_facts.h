// H3 with long convolutions (models.md 4.5) among named tensors: whether they are one, and what
// they say of its configuration.
#pragma once

#include "models/weights/facts.h"

namespace longconv::models {

/// Whether some mixer of a backbone has its two explicit filters.
bool is_h3_conv(const NamedTensors& named);

/// Throws CheckpointError naming the tensor that is missing, misshapen or at odds with config.json.
ModelFacts h3_conv_facts(const FactSources& from);

}  // namespace longconv::models
