// n-gram baselines with interpolated Witten-Bell smoothing (Witten and Bell 1991; Chen and Goodman
// 1998, eq. 15): p(w|h) = (c(hw) + N1+(h.) p(w|h')) / (c(h) + N1+(h.)), order 0 = uniform.
// No LibTorch here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longconv::train {

struct NgramResult {
  std::string unit;  ///< "byte" or "subword"
  int order = 0;     ///< 1 = unigram
  double bits_per_byte = 0.0;
  double bits_per_unit = 0.0;
};

/// One model an order, 1..max_order, fitted on `train`, measured on `heldout` (contiguous streams of
/// ids below `vocab_size`); `heldout_bytes` is the text's size in bytes.
std::vector<NgramResult> ngram_baselines(std::span<const std::int32_t> train,
                                         std::span<const std::int32_t> heldout,
                                         std::int64_t vocab_size, int max_order,
                                         std::int64_t heldout_bytes, const std::string& unit);

}  // namespace longconv::train
