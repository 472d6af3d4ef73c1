// What a run minimises, and what its evaluations report: one row a model.head.kind.
//
//   lm, mlm      cross entropy a predicted token   loss, perplexity, bits per byte
//   classifier   cross entropy a sample            loss, accuracy
//   regressor    mean absolute error               loss, R^2
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/lm.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::train {

/// An evaluation of a whole split.
struct Measured {
  double loss = 0.0;
  std::vector<std::pair<std::string, double>> values;  ///< of a metric line, the loss first
  std::string words;                                   ///< all but the loss, to be read
};

struct Objective {
  std::string_view head;  ///< model.head.kind
  /// Mean over the batch, a scalar in float32 or wider. Throws ShapeError.
  at::Tensor (*loss)(const at::Tensor& logits, const at::Tensor& target);
  /// `corpus` is the split's; `seq_len` the window of token shards. Throws NonFiniteError and what
  /// the measures throw.
  Measured (*measure)(models::Model& model, const data::Dataset& split, const data::Corpus& corpus,
                      std::int64_t seq_len, const PassOptions& options);
};

/// That of a head. Throws std::logic_error for a kind that has none.
const Objective& objective(std::string_view head);

}  // namespace longconv::train
