// What a run minimises, and what its evaluations report: one row a model.head.kind.
//
//   lm           cross entropy a predicted token   loss, perplexity, bits per byte
//                of one token a row, its label     loss, accuracy
//   mlm          cross entropy a masked token      loss, accuracy
//   classifier   cross entropy a sample            loss, accuracy
//   regressor    mean absolute error               loss, R^2
//                of a number a sample: squared     loss, Pearson's and Spearman's correlation
//
// GLUE's tasks report their own metrics besides.
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
  bool of_samples;        ///< of one token, or one number, a sample, where others have some a step
  /// Mean over the batch, a scalar in float32 or wider. Throws ShapeError.
  at::Tensor (*loss)(const at::Tensor& logits, const at::Tensor& target);
  /// `corpus` is the split's; `seq_len` the window of token shards. Throws NonFiniteError and what
  /// the measures throw.
  Measured (*measure)(models::Model& model, const data::Dataset& split, const data::Corpus& corpus,
                      std::int64_t seq_len, const PassOptions& options);
};

/// That of a head; `of_samples`: data::TaskShape's scores or last_token. Throws std::logic_error
/// for a kind that has none.
const Objective& objective(std::string_view head, bool of_samples = false);

}  // namespace longconv::train
