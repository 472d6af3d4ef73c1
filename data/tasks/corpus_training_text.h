// The training part of a corpus's sources as one stream of texts, to train a tokenizer on.
#pragma once

#include "data/tasks/corpus_documents.h"
#include "data/tokenizers/sentencepiece.h"

#include <cstdint>
#include <span>

namespace longconv::data {

/// Texts of training documents, in order, until `bytes` have been given, the last one then cut
/// behind a line. Bad lines are passed over. `sources` must outlive it; it throws DataError.
TextSource training_text(std::span<const CorpusSource> sources, const DocumentRules& rules,
                         std::int64_t bytes);

}  // namespace longconv::data
