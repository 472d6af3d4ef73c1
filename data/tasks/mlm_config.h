// Keys of masked language modelling (data/tasks/mlm.h).
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <string>
#include <utility>

namespace longconv::data {

/// How much is masked.
struct MaskKeys : config::Section {
  MaskKeys(Section* parent, std::string name, std::string help)
      : Section(parent, std::move(name), std::move(help)) {}
  config::Key<double> train_share{this, "train_share", 0.3, config::between(0.0, 1.0),
                                  "share of tokens masked in train, anew in every epoch"};
  config::Key<double> evaluation_share{this, "evaluation_share", 0.15, config::between(0.0, 1.0),
                                       "share masked in validation, always the same ones"};
};

/// A corpus of which one part is read.
struct MlmConfig : MaskKeys {
  explicit MlmConfig(Section* parent = nullptr, std::string name = "")
      : MaskKeys(parent, std::move(name), "Documents with masked tokens") {}
  config::Key<std::string> path{this, "path", "",
                                "corpus folder made with a BERT tokenizer and without EOS"};
  config::Key<std::string> part{this, "part", "train", config::one_of({"train", "validation"}),
                                "what is read"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 128, config::at_least(std::int64_t{3}),
                                    "tokens of a sample, special ones and padding included"};
};

/// [data.mlm]: a corpus that a run reads; data.path and data.seq_len are its own.
struct RunMlmConfig : MaskKeys {
  explicit RunMlmConfig(Section* parent)
      : MaskKeys(parent, "mlm", "task = mlm: how much is masked") {}
};

}  // namespace longconv::data
