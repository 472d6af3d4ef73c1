// One or two texts as BERT reads them (data.md 6.4, step 7): [CLS] A [SEP], or [CLS] A [SEP] B
// [SEP].
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace longconv::data {

struct BertPair {
  std::vector<std::int32_t> ids;    ///< no padding
  std::vector<std::int32_t> types;  ///< 0 to the first [SEP], 1 after it
};

/// Ids of the special tokens; those of bert-base-uncased.
struct BertSpecials {
  std::int32_t pad = 0;
  std::int32_t unk = 100;
  std::int32_t cls = 101;
  std::int32_t sep = 102;
  std::int32_t mask = 103;
};

/// Those of a WordPiece tokenizer. Throws DataError if it lacks one.
BertSpecials bert_specials(const Tokenizer& tokenizer);

/// With an empty `second` there is one [SEP] only, unless it is a `pair` all the same. What exceeds
/// `max_length`, special tokens included, is dropped from the end of the longer text, token by
/// token, of the second if they are equal ("longest first"). Throws DataError if the special tokens
/// alone do not fit.
BertPair bert_pair(std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                   std::size_t max_length, const BertSpecials& specials = {}, bool pair = false);

}  // namespace longconv::data
