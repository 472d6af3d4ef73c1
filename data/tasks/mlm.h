// Masked language modelling over a corpus of documents: one sample a document, [CLS], its first
// tokens, [SEP], nothing packed (M2-BERT, arXiv:2310.12109; data.md 6.1). The corpus is made by
// `longconv data prepare c4`, or of any text with --tokenizer bert --no-eos.
#pragma once

#include "data/formats/token_shard.h"
#include "data/loader/loader.h"
#include "data/tasks/mlm_config.h"
#include "data/tokenizers/bert_pair.h"

#include <cstdint>
#include <vector>

namespace longconv::data {

/// Batches: input (B, L) int64, padded on the right with [PAD]; target (B, L), the ids behind the
/// masks and -100 elsewhere (data/tasks/masking.h); lengths (B), of [CLS] to [SEP].
class MlmDataset final : public Dataset {
 public:
  /// Throws ConfigError, DataError (no such corpus; a tokenizer without [MASK]; shards with EOS).
  explicit MlmDataset(const MlmConfig& config);
  [[nodiscard]] std::int64_t size() const override { return starts_.back(); }
  [[nodiscard]] std::int64_t seq_len() const override { return seq_len_; }
  /// With masks that depend on the index alone.
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  /// With masks of the keys; validation: as get().
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;

 private:
  struct Part {
    TokenShard shard;
    ShardDocuments documents;
  };
  /// [CLS], the document's first tokens, [SEP] into `out`, of seq_len tokens; returns how many.
  std::int64_t read(std::int64_t index, std::span<std::int64_t> out) const;
  [[nodiscard]] Batch masked(std::span<const std::int64_t> indices,
                             std::span<const std::uint64_t> keys) const;

  std::vector<Part> parts_;
  std::vector<std::int64_t> starts_{0};  // of each part's documents, and the end
  BertSpecials specials_;
  std::int64_t vocab_size_ = 0;
  std::int64_t seq_len_;
  double share_;
  bool frozen_;
};

}  // namespace longconv::data
