// n-gram baselines with interpolated Witten-Bell smoothing (Witten and Bell 1991; Chen and Goodman
// 1998, section 2.5): with c counts and T(h) the number of distinct units seen after context h,
//
//   p_n(w | h) = (c(hw) + T(h) p_{n-1}(w | h')) / (c(h) + T(h)),   c(h) = sum_w c(hw),
//
// h' = h without its oldest unit, p_0 = 1 / vocab_size. A context never seen backs off whole:
// p_n = p_{n-1}. All orders share their counts, so one pass over the text measures every order.
// No LibTorch here.
#pragma once

#include "core/base/error.h"

#include <cstdint>
#include <memory>
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

/// The counts of orders 1..max_order of one stream, and the probabilities they give. Memory: about
/// 30 bytes for each distinct n-gram (bytes, order 8, 5.5 MB of English: 0.2 GB).
class NgramModel {
 public:
  /// Counts `train`, ids below `vocab_size`; its first units have shorter contexts. Throws
  /// DataError for an id outside the vocabulary, or for 2^32 or more units.
  NgramModel(std::span<const std::int32_t> train, std::int64_t vocab_size, int max_order);
  ~NgramModel();
  NgramModel(const NgramModel&) = delete;
  NgramModel& operator=(const NgramModel&) = delete;

  /// -log2 p_n summed over `text`, one sum an order (element 0 = unigram). The text starts with an
  /// empty context: unit i is predicted from the min(i, n - 1) units of `text` before it.
  /// Throws DataError for an id outside the vocabulary.
  [[nodiscard]] std::vector<double> bits(std::span<const std::int32_t> text) const;
  /// p_n(unit | context) with n = min(context.size(), max_order - 1) + 1: the longest order.
  [[nodiscard]] double probability(std::span<const std::int32_t> context, std::int32_t unit) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One result an order, 1..max_order, fitted on `train`, measured on `heldout` (contiguous streams
/// of ids below `vocab_size`); `heldout_bytes` is the text's size in bytes. Throws DataError for an
/// empty held-out stream or an id outside the vocabulary.
std::vector<NgramResult> ngram_baselines(std::span<const std::int32_t> train,
                                         std::span<const std::int32_t> heldout,
                                         std::int64_t vocab_size, int max_order,
                                         std::int64_t heldout_bytes, const std::string& unit);

}  // namespace longconv::train
