// n-gram baselines of a corpus: what a model's bits per byte are shown beside.
#pragma once

#include "data/tasks/lm.h"
#include "train/evaluation/ngram.h"

#include <vector>

namespace longconv::apps {

/// Byte n-grams of orders 1-8 and, where tokens are not bytes already, token unigram and bigram;
/// fitted on the training split, measured on the validation split. Throws DataError if a split is
/// missing or too large to count in memory.
std::vector<train::NgramResult> corpus_baselines(const data::Corpus& corpus);

}  // namespace longconv::apps
