// The loss of a language model: mean negative log likelihood of the next token,
//
//   loss = -1/(B L) sum_{b,t} log softmax(logits[b,t,:])[target[b,t]]
//
// over all columns of the logits, the padded ones of the vocabulary included (models.md 2.1).
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::train {

/// logits (B, L, V) of any floating dtype, target (B, L) int64 -> scalar, in nats per token.
/// Computed in float32 (float64 for float64 logits). Throws ShapeError.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target);

}  // namespace longconv::train
