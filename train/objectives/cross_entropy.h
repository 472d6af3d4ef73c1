// Mean negative log likelihood of the right column,
//
//   loss = -mean_i log softmax(logits[i,:])[target[i]]      over all i with target[i] != -100
//
// i counts the tokens of a language model (all columns count, the padded ones of the vocabulary
// included; models.md 2.1), or the samples of a classifier.
#pragma once

#include <ATen/core/Tensor.h>

namespace longconv::train {

/// logits (.., V) of any floating dtype, target (..) int64 -> scalar, in nats. Computed in float32
/// (float64 for float64 logits). Throws ShapeError.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target);

}  // namespace longconv::train
