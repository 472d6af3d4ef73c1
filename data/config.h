// [data]: what is read and how it is cut into batches.
#pragma once

#include "core/config/section.h"
#include "data/tasks/brain_config.h"
#include "data/tasks/dna_config.h"
#include "data/tasks/mlm_config.h"
#include "data/tasks/sample_config.h"

namespace longconv::data {

/// [[data.stage]]: sequence-length warm-up (arXiv:2306.15794; models.md 5.4).
struct StageConfig : config::Section {
  explicit StageConfig(Section* parent = nullptr)
      : Section(parent, "stage", "Shorter windows at the start of the run") {}
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024, config::at_least(std::int64_t{1}),
                                    "tokens of a window in this stage"};
  config::Key<std::int64_t> batch_size{
      this, "batch_size", 0, config::at_least(std::int64_t{0}),
      "windows per optimiser step, over all devices; 0 = as many tokens as later steps"};
  config::Key<std::int64_t> micro_batch{
      this, "micro_batch", 0, config::at_least(std::int64_t{0}),
      "windows per forward pass; 0 = as many passes a step as later"};
  config::Key<std::int64_t> epochs{this, "epochs", 0, config::at_least(std::int64_t{0}),
                                   "passes over the data, rounded up to whole steps"};
  config::Key<std::int64_t> steps{this, "steps", 0, config::at_least(std::int64_t{0}),
                                  "optimiser steps, instead of epochs"};
};

struct DataConfig : config::Section {
  explicit DataConfig(Section* parent = nullptr) : Section(parent, "data", "What is read") {
    add_list({"stage", "Sequence-length warm-up: shorter windows at the start of the run",
              [this] { return &stage.append(); }, [this] { return stage.elements(); },
              [this] { stage.clear(); }});
  }
  config::Key<std::string> task{
      this, "task", "lm",
      config::one_of({"lm", "dna", "mlm", "labelled", "brain", "species", "glue", "prompts"}),
      "lm = token shards, dna = windows of a genome, mlm = documents "
      "with masked tokens, labelled = a sample shard, brain = series "
      "whose next step is to be predicted, species = windows of genomes "
      "whose species is asked for, glue = a GLUE task, prompts = "
      "labelled DNA whose last label is to be predicted"};
  config::Key<std::string> path{
      this, "path", "",
      "lm, mlm: folder with train and validation shards, as `longconv data "
      "prepare` writes it; labelled: "
      "sample shard (.lcs); brain: series (.h5, .npy); glue: shard of `longconv data prepare "
      "glue`"};
  config::Key<std::string> tokenizer{this, "tokenizer", "",
                                     "tokenizer the shards must have been made with: a path, or "
                                     "\"bytes\"; empty = the folder's own"};
  config::Key<std::string> rows{
      this, "rows", "windows", config::one_of({"windows", "documents", "packed"}),
      "lm: windows = cut from all documents in a row; documents = one document a row, padded to "
      "the batch's longest; packed = whole documents, several in a row"};
  config::Key<std::int64_t> bucket_steps{
      this, "bucket_steps", 0, config::between(std::int64_t{0}, std::int64_t{1} << 20),
      "rows = documents: put those of each so many steps together by length; 0 = as they come"};
  config::Key<std::int64_t> seq_len{
      this, "seq_len", 1024, config::at_least(std::int64_t{1}),
      "tokens of a window; labelled: of a sample, the data's longest if not given"};
  config::Key<std::int64_t> batch_size{this, "batch_size", 32, config::at_least(std::int64_t{1}),
                                       "windows per optimiser step, over all devices"};
  config::Key<std::int64_t> micro_batch{
      this, "micro_batch", 0, config::at_least(std::int64_t{0}),
      "windows per forward pass; 0 = batch_size / train.accumulate"};
  config::Key<bool> shuffle{this, "shuffle", true,
                            "train on samples in a new order each epoch; false = as they come"};
  config::Key<std::int64_t> workers{
      this, "workers", 1, config::between(std::int64_t{0}, std::int64_t{64}),
      "threads that prepare batches ahead; 0 = in the training thread"};
  DnaPretrainingConfig dna{this, "dna"};
  RunMlmConfig mlm{this};
  RunSamplesConfig samples{this};
  RunBrainConfig brain{this};
  RunSpeciesConfig species{this};
  RunPromptsConfig prompts{this};
  config::SectionList<StageConfig> stage;
};

}  // namespace longconv::data
