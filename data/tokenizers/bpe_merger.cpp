#include "data/tokenizers/bpe_merger.h"

#include "core/base/check.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace longconv::data {

namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFF;
// A piece of megabytes should not leave its memory behind for good.
constexpr std::size_t kKeptSymbols = 1 << 16;

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::size_t slot_of(std::uint64_t pair, int shift) {
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15ULL) >> shift);
}

}  // namespace

BpeMerger::BpeMerger(const BpeVocabulary& vocabulary) : byte_ids_(vocabulary.byte_ids) {
  const std::size_t size = std::bit_ceil(2 * vocabulary.merges.size() + 2);
  shift_ = 64 - std::countr_zero(size);
  slots_.resize(size);
  for (std::size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const BpeMerge& merge = vocabulary.merges[rank];
    const std::uint64_t pair = pair_of(merge.left, merge.right);
    std::size_t i = slot_of(pair, shift_);
    while (slots_[i].rank != kNoRank) i = (i + 1) & (size - 1);
    slots_[i] = {pair, static_cast<std::uint32_t>(rank), merge.result};
  }
}

const BpeMerger::Slot& BpeMerger::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  std::size_t i = slot_of(pair, shift_);
  while (slots_[i].rank != kNoRank && slots_[i].pair != pair) i = (i + 1) & (slots_.size() - 1);
  return slots_[i];
}

void BpeMerger::merge(std::string_view piece, BpeScratch& scratch,
                      std::vector<std::int32_t>& ids) const {
  if (piece.size() <= kShortBytes) {
    short_piece(piece, ids);
  } else {
    long_piece(piece, scratch, ids);
  }
}

void BpeMerger::short_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  std::array<std::int32_t, kShortBytes> id{};
  std::array<Slot, kShortBytes> pair{};  // the pair that begins at each symbol
  std::array<bool, kShortBytes> fresh{};
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) id[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (std::size_t i = 0; i + 1 < count; ++i) pair[i] = find(id[i], id[i + 1]);
  while (count > 1) {
    std::uint32_t best = kNoRank;
    for (std::size_t i = 0; i + 1 < count; ++i) best = std::min(best, pair[i].rank);
    if (best == kNoRank) break;
    std::size_t out = 0;
    for (std::size_t i = 0; i < count; ++i, ++out) {
      fresh[out] = i + 1 < count && pair[i].rank == best;
      id[out] = fresh[out] ? pair[i].result : id[i];
      pair[out] = pair[i];
      if (fresh[out]) ++i;
    }
    count = out;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      if (fresh[i] || fresh[i + 1]) pair[i] = find(id[i], id[i + 1]);
    }
  }
  ids.insert(ids.end(), id.begin(), id.begin() + static_cast<std::ptrdiff_t>(count));
}

void BpeMerger::rate(BpeScratch& scratch, std::uint32_t index) const {
  BpeScratch::Symbol& symbol = scratch.symbols[index];
  symbol.rank = kNoRank;
  if (symbol.after == kNone) return;
  const Slot& slot = find(symbol.id, scratch.symbols[symbol.after].id);
  symbol.rank = slot.rank;
  symbol.result = slot.result;
  if (slot.rank != kNoRank) {
    scratch.pending.push_back(static_cast<std::uint64_t>(slot.rank) << 32 | index);
  }
}

void BpeMerger::long_piece(std::string_view piece, BpeScratch& scratch,
                           std::vector<std::int32_t>& ids) const {
  LONGCONV_CHECK(piece.size() < kNone, DataError, "encode: one word of {} bytes", piece.size());
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  auto& pending = scratch.pending;
  const auto count = static_cast<std::uint32_t>(piece.size());
  symbols.resize(count);
  pending.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    symbols[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], 0, 0, i == 0 ? kNone : i - 1,
                  i + 1 == count ? kNone : i + 1};
  }
  for (std::uint32_t i = 0; i < count; ++i) rate(scratch, i);
  heap.assign(pending.begin(), pending.end());
  pending.clear();
  constexpr std::greater<> kLowestFirst;
  std::make_heap(heap.begin(), heap.end(), kLowestFirst);

  std::uint64_t current = kNoRank;
  while (true) {
    // New pairs wait until all of the current rank are replaced: they may rank lower.
    if (heap.empty() || heap.front() >> 32 != current) {
      for (const std::uint64_t entry : pending) {
        heap.push_back(entry);
        std::push_heap(heap.begin(), heap.end(), kLowestFirst);
      }
      pending.clear();
      if (heap.empty()) break;
      current = heap.front() >> 32;
    }
    const auto index = static_cast<std::uint32_t>(heap.front());
    std::pop_heap(heap.begin(), heap.end(), kLowestFirst);
    heap.pop_back();
    BpeScratch::Symbol& symbol = symbols[index];
    if (symbol.id < 0 || symbol.rank != current) continue;  // one of the two is gone
    BpeScratch::Symbol& gone = symbols[symbol.after];
    symbol.id = symbol.result;
    gone.id = -1;
    symbol.after = gone.after;
    if (symbol.after != kNone) symbols[symbol.after].before = index;
    rate(scratch, index);
    if (symbol.before != kNone) rate(scratch, symbol.before);
  }
  for (std::uint32_t i = 0; i != kNone; i = symbols[i].after) ids.push_back(symbols[i].id);
  if (symbols.size() > kKeptSymbols) scratch = BpeScratch{};
}

}  // namespace longconv::data
