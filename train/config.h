// The whole run: every section of a TOML file.
#pragma once

#include "core/config/section.h"
#include "data/config.h"
#include "models/config.h"

namespace longconv::train {

/// [[optim.group]]: parameters whose name matches get their own learning rate or weight decay.
struct GroupConfig : config::Section {
  explicit GroupConfig(Section* parent = nullptr)
      : Section(parent, "group", "Parameters by name") {}
  config::Key<std::string> match{this, "match", "", "pattern of names; * matches anything"};
  config::Key<double> lr{this, "lr", -1.0, "learning rate; negative = the optimiser's"};
  config::Key<double> weight_decay{this, "weight_decay", -1.0,
                                   "weight decay; negative = the optimiser's"};
};

struct InitConfig : config::Section {
  explicit InitConfig(Section* parent) : Section(parent, "init", "What the weights start as") {}
  config::Key<std::string> from{
      this, "from", "",
      "model folder, run or checkpoint whose weights the run starts from; empty = drawn at random"};
  config::Key<bool> load_head{this, "load_head", false,
                              "the head's weights too; false = the head starts afresh"};
  config::Key<std::vector<std::string>> freeze{
      this, "freeze", {}, "patterns of parameters that stay as they are; * matches anything"};
};

struct FinetuneConfig : config::Section {
  explicit FinetuneConfig(Section* parent)
      : Section(parent, "finetune", "longconv finetune: runs from one model's weights") {}
  config::Key<std::vector<std::int64_t>> seeds{
      this, "seeds", {}, "a run each, whose metrics are averaged; empty = one, of seed"};
};

struct OptimConfig : config::Section {
  explicit OptimConfig(Section* parent) : Section(parent, "optim", "The optimiser") {
    add_list({"group", "Parameters by name pattern", [this] { return &group.append(); },
              [this] { return group.elements(); }, [this] { group.clear(); }});
  }
  config::Key<std::string> name{this, "name", "adamw", config::one_of({"adamw", "decoupled_adamw"}),
                                "optimiser"};
  config::Key<double> lr{this, "lr", 6e-4, config::above(0.0), "peak learning rate"};
  config::Key<double> weight_decay{this, "weight_decay", 0.1, config::at_least(0.0),
                                   "decoupled weight decay"};
  config::Key<std::vector<double>> betas{this, "betas", {0.9, 0.98}, "decay of the two moments"};
  config::Key<double> eps{this, "eps", 1e-8, config::above(0.0),
                          "added to the root of the second moment"};
  config::Key<double> clip_norm{this, "clip_norm", 1.0, config::at_least(0.0),
                                "largest gradient norm; 0 = no clipping"};
  config::SectionList<GroupConfig> group;
};

struct ScheduleConfig : config::Section {
  explicit ScheduleConfig(Section* parent)
      : Section(parent, "schedule", "Learning rate over steps") {}
  config::Key<std::string> name{
      this, "name", "timm_cosine",
      config::one_of({"timm_cosine", "cosine", "linear", "composer_linear", "constant", "plateau"}),
      "shape (models.md 0.4)"};
  config::Key<std::int64_t> max_steps{this, "max_steps", 1000, config::at_least(std::int64_t{1}),
                                      "optimiser steps of the run"};
  config::Key<std::int64_t> warmup_steps{this, "warmup_steps", 0, config::at_least(std::int64_t{0}),
                                         "steps of linear warm-up"};
  config::Key<double> min_lr{this, "min_lr", 0.0, config::at_least(0.0),
                             "lowest learning rate (composer_linear: the final share of lr)"};
  config::Key<double> warmup_lr{this, "warmup_lr", 1e-6, config::at_least(0.0),
                                "learning rate at step 0 (timm_cosine)"};
  config::Key<double> factor{this, "factor", 0.1, config::between(0.0, 1.0),
                             "plateau: lr is multiplied by this"};
  config::Key<std::int64_t> patience{this, "patience", 0, config::at_least(std::int64_t{0}),
                                     "plateau: evaluations without a better loss before lr falls"};
};

struct TrainSection : config::Section {
  explicit TrainSection(Section* parent) : Section(parent, "train", "The training loop") {}
  config::Key<std::string> precision{this, "precision", "float32",
                                     config::one_of({"float32", "bf16", "float64"}),
                                     "arithmetic of the model; sums and FFTs stay float32"};
  config::Key<std::string> long_conv{this, "long_conv", "auto",
                                     config::one_of({"auto", "torch_fft"}),
                                     "kernels of the long convolution: the fastest that fits, or "
                                     "LibTorch's FFT, to compare with"};
  config::Key<std::int64_t> accumulate{this, "accumulate", 1, config::at_least(std::int64_t{1}),
                                       "micro-batches per optimiser step"};
  config::Key<std::int64_t> log_every{this, "log_every", 10, config::at_least(std::int64_t{1}),
                                      "steps between metric lines"};
  config::Key<std::int64_t> eval_every{this, "eval_every", 200, config::at_least(std::int64_t{0}),
                                       "steps between evaluations; 0 = only at the end"};
  config::Key<std::int64_t> eval_batches{this, "eval_batches", 0, config::at_least(std::int64_t{0}),
                                         "batches of an evaluation; 0 = the whole split"};
  config::Key<std::int64_t> checkpoint_every{this, "checkpoint_every", 500,
                                             config::at_least(std::int64_t{0}),
                                             "steps between checkpoints; 0 = only at the end"};
  config::Key<double> checkpoint_minutes{this, "checkpoint_minutes", 0.0, config::at_least(0.0),
                                         "also a checkpoint after so many minutes; 0 = never"};
  config::Key<std::int64_t> keep_last{this, "keep_last", 2, config::at_least(std::int64_t{1}),
                                      "newest checkpoints kept"};
  config::Key<bool> keep_best{this, "keep_best", true,
                              "also keep the checkpoint with the lowest validation loss"};
  config::Key<std::string> resume{this, "resume", "auto", "auto, never, or a checkpoint folder"};
};

struct RunSection : config::Section {
  explicit RunSection(Section* parent)
      : Section(parent, "run", "Where it runs and what it leaves") {}
  config::Key<std::string> dir{this, "dir", "", "run folder; empty = runs/<name>"};
  config::Key<std::string> name{this, "name", "", "name of the run; empty = the config file's"};
  config::Key<std::string> device{this, "device", "auto", "auto, cpu, cuda, or cuda:N"};
};

struct RunConfig : config::Section {
  RunConfig() : Section(nullptr, "", "One run") {}
  config::Key<std::int64_t> seed{this, "seed", 2222, config::at_least(std::int64_t{0}),
                                 "of everything random"};
  data::DataConfig data{this};
  models::ModelConfig model{this};
  InitConfig init{this};
  FinetuneConfig finetune{this};
  OptimConfig optim{this};
  ScheduleConfig schedule{this};
  TrainSection train{this};
  RunSection run{this};
};

}  // namespace longconv::train
