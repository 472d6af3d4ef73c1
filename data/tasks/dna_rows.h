// Bases laid out as rows of ids, the way HyenaDNA does (data.md 7.1, 7.2): padding on the left,
// an end symbol on the right, no symbol at the beginning.
#pragma once

#include "data/loader/loader.h"
#include "data/tokenizers/dna.h"

#include <cstdint>
#include <functional>
#include <span>

namespace longconv::data {

/// A row: PAD, then the first bases that fit, then [SEP] if `end_symbol`.
void lay_row(const DnaTokenizer& tokenizer, std::span<const char> bases, bool end_symbol,
             std::span<std::int64_t> row);

/// What a loss must not count.
inline constexpr std::int64_t kIgnoredTarget = -100;

/// Next-token prediction: of `batch` rows of `length` + 1 ids each, which `fill(i, row)` lays out,
/// the input is all but the last id and the target all but the first, -100 for PAD where
/// `ignore_padding`. input, target (B, length) int64.
Batch next_token_batch(std::int64_t batch, std::int64_t length, bool ignore_padding,
                       const std::function<void(std::int64_t, std::span<std::int64_t>)>& fill);

}  // namespace longconv::data
