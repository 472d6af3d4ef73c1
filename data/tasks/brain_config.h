// Keys of brain series (data/tasks/brain_series.h).
#pragma once

#include "core/config/section.h"
#include "data/tasks/splits.h"

#include <cstdint>
#include <string>
#include <utility>

namespace longconv::data {

/// How windows are cut from runs.
struct BrainKeys : config::Section {
  BrainKeys(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::int64_t> min_len{this, "min_len", 10, config::at_least(std::int64_t{1}),
                                    "steps of a window at least; its length is drawn anew in each "
                                    "epoch"};
  config::Key<bool> standardise{this, "standardise", true,
                                "give each run and channel mean 0 and deviation 1"};
};

/// A file that is read alone.
struct BrainSeriesConfig : BrainKeys {
  explicit BrainSeriesConfig(Section* parent = nullptr, std::string name = "")
      : BrainKeys(parent, std::move(name), "Series of many channels, next step") {}
  config::Key<std::string> path{this, "path", "",
                                "HDF5 with /series [runs, steps, channels] and perhaps /mask, or "
                                ".npy [runs, steps, channels] or [steps, channels]"};
  config::Key<std::int64_t> max_len{this, "max_len", 100, config::at_least(std::int64_t{1}),
                                    "and at most; evaluations use this length"};
  SplitConfig split{this};
};

/// [data.brain]: one that a run reads, part after part; data.path and data.seq_len (the longest
/// window) are its own.
struct RunBrainConfig : BrainKeys {
  explicit RunBrainConfig(Section* parent)
      : BrainKeys(parent, "brain", "task = brain: how windows are cut from series") {}
  SplitRules split{this};
};

}  // namespace longconv::data
