// The batches of a split in the order of its samples, each on the model's device.
#pragma once

#include "data/loader/loader.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <functional>

namespace longconv::train {

/// A batch as a model reads it, moved to `device` if it is not there.
models::Input model_input(const data::Batch& batch, c10::Device device);

/// Calls `use` with the model's output and its batch (where the data set made it) for every batch
/// of `split`, the last one as small as it comes. The model is in eval mode, without gradients, in
/// the options' precision. Throws ConfigError for options out of range, DataError for an empty
/// split.
void for_each_batch(models::Model& model, const data::Dataset& split, const PassOptions& options,
                    const std::function<void(const at::Tensor& logits, const data::Batch&)>& use);

}  // namespace longconv::train
