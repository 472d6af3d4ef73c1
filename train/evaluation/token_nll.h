// Negative log likelihood of given tokens, summed over each row: what perplexity and prediction
// share.
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::train {

/// logits (B, T, V) of any floating dtype, target (B, T) int64 with -100 where nothing is asked for
/// -> nll (B), float64. Taken in float32 (float64 for float64 logits) over all columns, a part of
/// the positions at a time, summed in float64.
at::Tensor row_nll(const at::Tensor& logits, const at::Tensor& target);

}  // namespace longconv::train
