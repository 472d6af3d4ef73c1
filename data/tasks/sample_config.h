// Keys of sample shards (data/tasks/samples.h).
#pragma once

#include "core/config/section.h"
#include "data/tasks/pixels.h"
#include "data/tasks/splits.h"

#include <cstdint>
#include <string>
#include <utility>

namespace longconv::data {

/// How samples are shown.
struct SampleKeys : config::Section {
  SampleKeys(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<std::string> pad{this, "pad", "batch", config::one_of({"batch", "seq_len"}),
                               "token sequences are padded to the batch's longest, or to seq_len"};
  config::Key<std::string> pad_side{this, "pad_side", "usual",
                                    config::one_of({"usual", "left", "right"}),
                                    "where; usual = as the task does, DNA on the left"};
  config::Key<bool> reverse_complement{this, "reverse_complement", false,
                                       "DNA, part train: show every second sequence from the other "
                                       "strand, by chance"};
  PixelConfig pixels{this};
};

/// A shard that is read alone.
struct SampleConfig : SampleKeys {
  explicit SampleConfig(Section* parent = nullptr, std::string name = "")
      : SampleKeys(parent, std::move(name), "A sample shard, and what is read of it") {}
  config::Key<std::string> path{this, "path", "",
                                "sample shard (.lcs), as `longconv data generate` or "
                                "`longconv data prepare` writes it"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 0, config::at_least(std::int64_t{0}),
                                    "token sequences are cut to this; 0 = the longest"};
  SplitConfig split{this};
};

/// [data.samples]: one that a run reads, part after part; data.path and data.seq_len are its own.
struct RunSamplesConfig : SampleKeys {
  explicit RunSamplesConfig(Section* parent)
      : SampleKeys(parent, "samples", "task = labelled: how samples are shown") {}
  SplitRules split{this};
};

}  // namespace longconv::data
