// Language-model rows that respect documents: one document a row and padding behind it, or several
// documents packed into one. Windows over the concatenation (data/tasks/lm.h) do neither.
//
// A document of more than L + 1 tokens is cut into pieces of L inputs each and a rest. Input t of a
// piece predicts token t + 1 of its document, so that every token but a document's first is
// predicted exactly once in an epoch. A document of one token predicts nothing and has no row.
#pragma once

#include "data/formats/token_shard.h"
#include "data/loader/loader.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace longconv::data {

/// Batches: input (B, T) int64, zeros behind a row's end; target (B, T), -100 there.
///   one document a row   T the batch's longest row; lengths (B)
///   packed               T = L; segments (B, L)
class DocumentRows final : public Dataset {
 public:
  /// `verify` as open_token_shards() (data/tasks/lm.h). Throws DataError: a shard or its index is
  /// damaged or missing.
  DocumentRows(const std::vector<std::filesystem::path>& shards, std::int64_t seq_len, bool packed,
               bool verify = true);
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(rows_.size()) - 1;
  }
  [[nodiscard]] std::int64_t seq_len() const override { return seq_len_; }
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] std::int64_t length(std::int64_t index) const override;
  [[nodiscard]] std::int64_t targets(std::int64_t index) const override { return length(index); }
  [[nodiscard]] bool targets_vary() const override { return true; }

 private:
  /// `count` inputs from `first` of a shard; the last one's target follows them.
  struct Piece {
    std::int64_t first;
    std::int32_t count;
    std::uint32_t shard;
  };
  void pack();
  [[nodiscard]] std::span<const Piece> row(std::int64_t index) const;

  std::vector<TokenShard> shards_;
  std::vector<Piece> pieces_;       // of row after row
  std::vector<std::int64_t> rows_;  // where each row's pieces begin, and the end
  std::int64_t seq_len_;
  bool packed_;
};

}  // namespace longconv::data
