// What a sequence of DNA is made of, regardless of where: the share of each word of k bases among
// all its words of k bases. With a logistic regression on top, what a classifier of DNA must beat.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace longconv::train {

/// Longest word there are shares of.
inline constexpr std::int64_t kLongestKmer = 8;

/// ids (B, L) int64 of data/tokenizers/dna.h -> (B, 4^k) float32; the word A..A comes first, T..T
/// last. Words with anything in them but A, C, G and T do not count; a row without any word is all
/// 0. Throws ShapeError, ConfigError unless 1 <= k <= kLongestKmer.
at::Tensor kmer_shares(const at::Tensor& ids, std::int64_t k);

}  // namespace longconv::train
