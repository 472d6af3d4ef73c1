// One token behind each row: the label of a prompt (HyenaDNA, arXiv:2306.15794; models.md 5.6).
#pragma once

#include "train/evaluation/classification.h"

namespace longconv::train {

/// As classify(), of a language model (B, L, V) whose rows are padded on their left: the label is
/// the id that follows the last one, and a prediction the column with the largest logit of all.
ClassificationResult predict_last_tokens(models::Model& model, const data::Dataset& split,
                                         const PassOptions& options);

}  // namespace longconv::train
