// The keys of a model's shape that are left to the data. No LibTorch here.
#pragma once

#include "train/config.h"

namespace longconv::train {

/// Fills model.vocab_size, d_input, l_max, head.kind, head.pool and head.n_classes, and
/// data.seq_len where samples have a length of their own, as far as the file leaves them open;
/// checks the rest against the data, which are opened if need be. Throws ConfigError at the key,
/// DataError.
void resolve_shape(RunConfig& config);

}  // namespace longconv::train
