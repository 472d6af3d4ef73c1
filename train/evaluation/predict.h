// A model's outputs for every row of a file (docs: README, "Outputs for a file"):
//
//   logits     (L, V) of each row, the padded columns of the vocabulary included; of a classifier,
//              and of a regressor of whole rows, (classes)
//   hidden     (L, D), after the final norm
//   embedding  (D), what the pooler makes of a row where the model has one, else the mean of hidden
//              over the positions that count
//   loss       one number, the mean negative log likelihood of the next token, over the positions
//              that count and whose next one does
//
// Rows of like length go through the model together. A row's result does not depend on the others:
// what is added on its right to fill a pass never reaches it (causal models only; rows of others
// keep their length), and how much is added depends on its own length alone.
#pragma once

#include "data/tasks/token_rows.h"
#include "models/model.h"
#include "train/evaluation/prediction_file.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace longconv::train {

struct PredictOptions {
  std::string what = "logits";
  std::string precision = "float32";  ///< as train.precision; the model is in it already
  Dtype dtype = Dtype::f32;           ///< of the results
  c10::Device device = c10::kCPU;     ///< where the model is
  std::int64_t width = 0;             ///< values of a position or row, as in PredictionLayout
  bool per_position = false;          ///< likewise
  bool rows_alike = false;            ///< rows keep their length: a matrix, or a head that pools
  std::int64_t bytes_per_token = 1;   ///< that a pass holds at once (models/cost)
  std::int64_t pass_bytes = std::int64_t{256} << 20;  ///< what a pass may hold at once
  std::function<bool()> stop;  ///< asked between passes; true: InterruptedError
};

/// What a model takes.
struct RowLimits {
  std::int64_t vocab_size = 0;
  std::int64_t longest = 0;  ///< tokens
};

/// Reads all rows once, so that bad input is found before anything is computed. Returns their
/// lengths. Throws DataError naming file, row and column: no row, an empty row, one longer than the
/// model takes, an id that the model does not have, no position that counts.
std::vector<std::int64_t> check_rows(data::TokenRows& rows, const RowLimits& limits,
                                     const std::string& what);

/// Writes each row's result, in order, as soon as it is made; the caller commits the file. `rows`
/// come anew from the beginning, `lengths` from check_rows(). The model is put into eval mode and
/// back. Throws NonFiniteError naming the row, MemoryError for a row that does not fit alone,
/// InterruptedError, DataError if the rows have changed, and what the file throws.
void predict(models::Model& model, data::TokenRows& rows, std::span<const std::int64_t> lengths,
             const PredictOptions& options, PredictionFile& file);

}  // namespace longconv::train
