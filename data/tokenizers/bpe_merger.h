// Byte pair encoding of one piece of text (Sennrich et al., arXiv:1508.07909):
//
//   symbols = bytes; while some adjacent pair has a merge: take the pair of lowest rank, and
//   replace all its occurrences, left to right.
//
// Short pieces are scanned anew for each merge; long ones go through a heap of pairs, so that n
// bytes take n log n steps whatever stands in them.
#pragma once

#include "data/tokenizers/bpe_vocabulary.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace longconv::data {

/// Memory that a caller keeps between pieces.
struct BpeScratch {
  struct Symbol {
    std::int32_t id = 0;       ///< -1 once merged into the one before
    std::int32_t result = 0;   ///< id of the pair that begins here
    std::uint32_t rank = 0;    ///< its rank
    std::uint32_t before = 0;  ///< neighbours, as indices
    std::uint32_t after = 0;
  };
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> heap;     ///< rank << 32 | index
  std::vector<std::uint64_t> pending;  ///< pairs made while one rank is being replaced
};

class BpeMerger {
 public:
  explicit BpeMerger(const BpeVocabulary& vocabulary);

  /// Appends the ids of `piece`, below 4 GiB. Any merges do, also such that no training would give.
  void merge(std::string_view piece, BpeScratch& scratch, std::vector<std::int32_t>& ids) const;

  /// The two ways, for tests; short_piece takes at most kShortBytes.
  static constexpr std::size_t kShortBytes = 40;
  void short_piece(std::string_view piece, std::vector<std::int32_t>& ids) const;
  void long_piece(std::string_view piece, BpeScratch& scratch,
                  std::vector<std::int32_t>& ids) const;

 private:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;
  struct Slot {
    std::uint64_t pair = 0;
    std::uint32_t rank = kNoRank;
    std::int32_t result = 0;
  };
  [[nodiscard]] const Slot& find(std::int32_t left, std::int32_t right) const;
  void rate(BpeScratch& scratch, std::uint32_t index) const;

  std::array<std::int32_t, 256> byte_ids_;
  std::vector<Slot> slots_;  ///< open addressing; kNoRank is free
  int shift_ = 0;
};

}  // namespace longconv::data
