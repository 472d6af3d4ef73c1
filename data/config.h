// [data]: what is read and how it is cut into batches.
#pragma once

#include "core/config/section.h"
#include "data/tasks/dna_config.h"

namespace longconv::data {

struct DataConfig : config::Section {
  explicit DataConfig(Section* parent = nullptr) : Section(parent, "data", "What is read") {}
  config::Key<std::string> task{this, "task", "lm", config::one_of({"lm", "dna"}),
                                "lm = token shards, dna = windows of a genome"};
  config::Key<std::string> path{
      this, "path", "",
      "folder with train and validation shards, as `longconv data prepare` writes it"};
  config::Key<std::string> tokenizer{this, "tokenizer", "",
                                     "tokenizer the shards must have been made with: a path, or "
                                     "\"bytes\"; empty = the folder's own"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024, config::at_least(std::int64_t{1}),
                                    "tokens of a window"};
  config::Key<std::int64_t> batch_size{this, "batch_size", 32, config::at_least(std::int64_t{1}),
                                       "windows per optimiser step, over all devices"};
  config::Key<std::int64_t> micro_batch{
      this, "micro_batch", 0, config::at_least(std::int64_t{0}),
      "windows per forward pass; 0 = batch_size / train.accumulate"};
  config::Key<std::int64_t> workers{
      this, "workers", 1, config::between(std::int64_t{0}, std::int64_t{64}),
      "threads that prepare batches ahead; 0 = in the training thread"};
  DnaPretrainingConfig dna{this, "dna"};
};

}  // namespace longconv::data
