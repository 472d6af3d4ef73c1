// Masking for masked language models (BERT, arXiv:1810.04805; data.md 6.2): each position that is
// no special token is selected with probability p, independently. Of the selected, 80 % become
// [MASK], 10 % a random id of the whole vocabulary, special ones included, and 10 % stay.
#pragma once

#include "data/tokenizers/bert_pair.h"

#include <cstdint>
#include <span>

namespace longconv::data {

inline constexpr std::int64_t kNoLabel = -100;  ///< the index that losses ignore

/// Masks `ids` in place and writes `labels`, of the same size: the id that was there where a
/// position is selected, kNoLabel elsewhere. A pure function of its arguments; `key` chooses the
/// masks.
void mask_tokens(std::span<std::int64_t> ids, std::span<std::int64_t> labels, double share,
                 std::uint64_t key, const BertSpecials& specials, std::int64_t vocab_size);

}  // namespace longconv::data
