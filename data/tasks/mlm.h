// Masked language modelling over a corpus of documents: one sample a document, [CLS], its first
// tokens, [SEP], nothing packed (M2-BERT, arXiv:2310.12109; data.md 6.1). The corpus is made by
// `longconv data prepare c4`, or of any text with --tokenizer bert --no-eos.
#pragma once

#include "core/config/section.h"
#include "data/formats/token_shard.h"
#include "data/loader/loader.h"
#include "data/tokenizers/bert_pair.h"

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::data {

struct MlmConfig : config::Section {
  explicit MlmConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Documents with masked tokens") {}
  config::Key<std::string> path{this, "path", "",
                                "corpus folder made with a BERT tokenizer and without EOS"};
  config::Key<std::string> part{this, "part", "train", config::one_of({"train", "validation"}),
                                "what is read"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 128, config::at_least(std::int64_t{3}),
                                    "tokens of a sample, special ones and padding included"};
  config::Key<double> train_share{this, "train_share", 0.3, config::between(0.0, 1.0),
                                  "share of tokens masked in train, anew in every epoch"};
  config::Key<double> evaluation_share{this, "evaluation_share", 0.15, config::between(0.0, 1.0),
                                       "share masked in validation, always the same ones"};
};

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
