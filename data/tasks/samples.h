// A part of a sample shard as a data set: images as sequences of levels, texts as tokens, pairs of
// texts. What `longconv data generate` and `longconv data prepare` write is read here.
#pragma once

#include "data/formats/sample_shard.h"
#include "data/loader/loader.h"
#include "data/tasks/pixels.h"
#include "data/tasks/sample_config.h"
#include "data/tasks/sample_facts.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longconv::data {

/// Batches:
///   images     input (B, L, channels) float32 or (B, L) int64 tokens, target (B) int64
///   sequences  input (B, L) int64, padded with the shard's value (0, DNA 4) on the right (DNA: on
///              the left), lengths (B), target (B)
///   pairs      input (2 B, L): first all first texts, then all second ones; lengths (2 B)
class SampleDataset final : public Dataset {
 public:
  /// Throws ConfigError for keys that do not fit the shard, DataError for a damaged shard.
  explicit SampleDataset(const SampleConfig& config);
  /// `members` of an open shard, whose file several data sets may share; token sequences are cut to
  /// `seq_len`, 0 = the longest. `training`: draw() may turn DNA round.
  SampleDataset(const SampleKeys& config, std::shared_ptr<const SampleShard> shard,
                std::vector<std::int64_t> members, std::int64_t seq_len, bool training);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;  ///< the longest that get() can return
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  [[nodiscard]] const SampleFacts& facts() const { return facts_; }
  /// float32 series (images), else token ids.
  [[nodiscard]] bool gives_series() const { return transform_ && !transform_->tokens(); }
  [[nodiscard]] const SampleLayout& layout() const { return shard_->view().layout(); }

 private:
  SampleDataset(const SampleConfig& config, const std::shared_ptr<const SampleShard>& shard);
  [[nodiscard]] Batch batch_of(std::span<const std::int64_t> indices,
                               const std::uint64_t* keys) const;
  std::shared_ptr<const SampleShard> shard_;
  SampleFacts facts_;
  std::vector<std::int64_t> members_;  // samples of the part
  std::optional<PixelTransform> transform_;
  std::int64_t seq_len_ = 0;
  bool pad_to_seq_len_ = false;
  bool pad_left_ = false;
  bool reverse_complement_ = false;
};

}  // namespace longconv::data
