// One or two texts as BERT reads them (data.md 6.4, step 7): [CLS] A [SEP], or [CLS] A [SEP] B
// [SEP].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace longconv::data {

struct BertPair {
  std::vector<std::int32_t> ids;    ///< no padding
  std::vector<std::int32_t> types;  ///< 0 to the first [SEP], 1 after it
};

struct BertSpecials {
  std::int32_t cls = 101;
  std::int32_t sep = 102;
};

/// `second` may be empty: then there is one [SEP] only. What exceeds `max_length`, special tokens
/// included, is dropped from the end of the longer text, token by token, of the second if they are
/// equal ("longest first"). Throws DataError if the special tokens alone do not fit.
BertPair bert_pair(std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                   std::size_t max_length, const BertSpecials& specials = {});

}  // namespace longconv::data
