// How a run's batches are cut, and the loader that gives them: data.batch_size into passes and
// ranks, and the stages of sequence-length warm-up (models.md 5.4).
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/task_data.h"
#include "train/config.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

namespace longconv::train {

/// How one step's windows are cut into forward passes.
struct Cut {
  std::int64_t micro_batch = 1;
  std::int64_t passes = 1;
};

/// That of data.batch_size: by data.micro_batch if given, else by train.accumulate; both together
/// must agree. Throws ConfigError at the key that does not fit.
Cut cut_of_batch(const RunConfig& config);

/// Checks data.rows, data.bucket_steps and every [[data.stage]]. Throws ConfigError at the key.
void check_feed(const RunConfig& config);

/// The loader of data.train: each [[data.stage]] in turn, then data.seq_len for the rest of the
/// run. Batches arrive on `device`. Throws ConfigError, DataError.
std::unique_ptr<data::Loader> make_loader(const RunConfig& config, const data::TaskData& data,
                                          c10::Device device);

}  // namespace longconv::train
