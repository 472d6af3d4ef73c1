// Perplexity = exp(sum nll / sum tokens) over a whole split, in float64 (data.md 4.4).
//
// Windows of L = seq_len inputs start every S = L - overlap tokens; input t predicts token t + 1.
// The first window counts all its predictions, each later one only its last S, whose context is
// then at least `overlap` tokens. The last window is as short as the split's end makes it.
#pragma once

#include "data/tasks/lm.h"
#include "models/model.h"
#include "train/evaluation/pass_options.h"

#include <cstdint>

namespace longconv::train {

/// The whole split is with its last partial window.
struct PerplexityOptions : PassOptions {
  std::int64_t seq_len = 1024;  ///< window, at most the model's l_max
  std::int64_t overlap = 0;  ///< tokens of a window that only give context, 0 <= overlap < seq_len
};

struct PerplexityResult {
  double nll = 0.0;         ///< natural log, summed
  std::int64_t tokens = 0;  ///< predicted tokens
  [[nodiscard]] double loss() const { return nll / static_cast<double>(tokens); }
  [[nodiscard]] double perplexity() const;
  /// Bits per UTF-8 byte: loss / ln 2 * (tokens of the split / bytes of the split).
  [[nodiscard]] double bits_per_byte(std::int64_t split_tokens, std::int64_t split_bytes) const;
};

/// Every token of `split` but the very first is predicted once. The model is put into eval mode and
/// back. Losses are taken in float32 (float64 for a float64 model) over all columns of the logits,
/// summed in float64. Throws NonFiniteError naming the window, DataError for a split of fewer than
/// two tokens, ConfigError for options out of range.
PerplexityResult perplexity(models::Model& model, const data::WindowDataset& split,
                            const PerplexityOptions& options);

/// The same over any data set of windows, each alone: rows in the order of their indices, targets
/// of -100 not counted, no overlap (ConfigError). Windows of token shards go the way above.
PerplexityResult perplexity(models::Model& model, const data::Dataset& split,
                            const PerplexityOptions& options);

}  // namespace longconv::train
