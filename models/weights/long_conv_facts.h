// What the tensors of a LongConv say of its configuration (models.md 4.2): safari's, and those of
// the stand-alone program under safari's names (repairs.h). No file says how filters are squashed,
// how steps are pooled, or what activation there is: that is listed as open.
#pragma once

#include "models/weights/facts.h"

namespace longconv::models {

bool is_long_conv(const NamedTensors& named);

/// Throws CheckpointError naming a tensor that is missing or of a shape that fits no LongConv.
ModelFacts long_conv_facts(const FactSources& from);

}  // namespace longconv::models
