// Length extension (models.md 3.8): a model with learned positions taken to longer inputs.
#pragma once

#include "models/config.h"
#include "models/weights/repairs.h"

#include <string>
#include <vector>

namespace longconv::models {

/// Where `named` are an M2-BERT's for fewer positions than config.l_max: the position table is
/// repeated from its start as often as it fits, and the filters' features z and t are made anew
/// (trained changes of z are lost). Says what it did, nothing if there was nothing to do. The
/// published code leaves z of the first block and of a last broken one at zero, a slip.
std::vector<std::string> extend_m2_bert(NamedTensors& named, const ModelConfig& config);

}  // namespace longconv::models
