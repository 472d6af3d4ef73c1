#include "data/tasks/documents_lm.h"

#include "core/base/check.h"
#include "data/loader/best_fit.h"
#include "data/tasks/lm.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace longconv::data {

DocumentRows::DocumentRows(const std::vector<std::filesystem::path>& shards, std::int64_t seq_len,
                           bool packed, bool verify)
    : shards_(open_token_shards(shards, verify)), seq_len_(seq_len), packed_(packed) {
  LONGCONV_CHECK(seq_len >= 1 && seq_len <= std::numeric_limits<std::int32_t>::max(), DataError,
                 "rows of {} tokens: expected at least 1, and fewer than 2^31", seq_len);
  for (std::uint32_t number = 0; number < shards_.size(); ++number) {
    const ShardDocuments documents(shards_[number]);
    for (std::int64_t i = 0; i < documents.size(); ++i) {
      const ShardDocuments::Range range = documents.range(i);
      for (std::int64_t done = 0; done < range.count - 1; done += seq_len) {
        const std::int64_t count = std::min(seq_len, range.count - 1 - done);
        pieces_.push_back({range.first + done, static_cast<std::int32_t>(count), number});
      }
    }
  }
  if (packed_) {
    pack();
  } else {
    rows_.resize(pieces_.size() + 1);
    std::iota(rows_.begin(), rows_.end(), std::int64_t{0});
  }
}

void DocumentRows::pack() {
  // Pieces of one length meet in an order of chance, the same in every run: a corpus that is sorted
  // by source would else put each source's documents together.
  const auto n = static_cast<std::int64_t>(pieces_.size());
  std::vector<Piece> mixed;
  std::vector<std::int64_t> lengths;
  mixed.reserve(pieces_.size());
  lengths.reserve(pieces_.size());
  for (std::int64_t i = 0; i < n; ++i) {
    mixed.push_back(pieces_[static_cast<std::size_t>(shuffled_index(0, 0, i, n))]);
    lengths.push_back(mixed.back().count);
  }
  pieces_.clear();
  rows_ = {0};
  for (const std::vector<std::int64_t>& row : best_fit_rows(lengths, seq_len_)) {
    for (const std::int64_t item : row) pieces_.push_back(mixed[static_cast<std::size_t>(item)]);
    rows_.push_back(static_cast<std::int64_t>(pieces_.size()));
  }
}

std::span<const DocumentRows::Piece> DocumentRows::row(std::int64_t index) const {
  LONGCONV_CHECK(index >= 0 && index < size(), DataError, "row {} asked for, there are {}", index,
                 size());
  const auto at = static_cast<std::size_t>(index);
  return std::span(pieces_).subspan(static_cast<std::size_t>(rows_[at]),
                                    static_cast<std::size_t>(rows_[at + 1] - rows_[at]));
}

std::int64_t DocumentRows::length(std::int64_t index) const {
  std::int64_t sum = 0;
  for (const Piece& piece : row(index)) sum += piece.count;
  return sum;
}

Batch DocumentRows::get(std::span<const std::int64_t> indices) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  std::int64_t width = packed_ ? seq_len_ : 1;
  for (const std::int64_t index : indices) width = std::max(width, length(index));
  Batch out{at::zeros({batch, width}, at::kLong), at::full({batch, width}, -100, at::kLong)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  std::int64_t* segment = nullptr;
  std::int64_t* lengths = nullptr;
  if (packed_) {
    out.segments = at::zeros({batch, width}, at::kLong);
    segment = out.segments.mutable_data_ptr<std::int64_t>();
  } else {
    out.lengths = at::empty({batch}, at::kLong);
    lengths = out.lengths.mutable_data_ptr<std::int64_t>();
  }
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(seq_len_) + 1);
  for (std::int64_t b = 0; b < batch; ++b) {
    std::int64_t at = b * width;
    std::int64_t number = 0;
    for (const Piece& piece : row(indices[static_cast<std::size_t>(b)])) {
      const std::int64_t count = piece.count;
      const auto read = std::span(tokens).first(static_cast<std::size_t>(count) + 1);
      shards_[piece.shard].read(piece.first, read);
      std::copy_n(tokens.data(), count, input + at);
      std::copy_n(tokens.data() + 1, count, target + at);
      ++number;
      if (packed_) std::fill_n(segment + at, count, number);
      at += count;
    }
    if (!packed_) lengths[b] = at - b * width;
  }
  return out;
}

}  // namespace longconv::data
