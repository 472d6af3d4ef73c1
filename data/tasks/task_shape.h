// What a model must be told of the data it is trained on. No LibTorch here.
#pragma once

#include "data/config.h"

#include <cstdint>

namespace longconv::data {

struct TaskShape {
  std::int64_t vocab_size = 0;  ///< ids that come in; 0: series of numbers
  std::int64_t channels = 0;    ///< numbers a step; 0: ids
  std::int64_t outputs = 0;     ///< classes, or numbers to be predicted a step; 0: the next id
  std::int64_t seq_len = 0;     ///< the longest sample's; 0: data.seq_len alone says it
  bool labelled = false;        ///< a class for a whole sample
  bool scores = false;          ///< a number for a whole sample
  bool last_token = false;      ///< one token a row is predicted, behind its last
  bool pairs = false;           ///< two sequences a sample, 2 B rows a batch
  bool bases = false;           ///< the ids are those of data/tokenizers/dna.h
};

/// Opens no more than needed; data.seq_len need not be resolved. Throws ConfigError, DataError.
TaskShape task_shape(const DataConfig& config);

}  // namespace longconv::data
