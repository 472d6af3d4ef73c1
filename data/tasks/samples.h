// A part of a sample shard as a data set: images as sequences of levels, texts as tokens, pairs of
// texts. What `longconv data generate` and `longconv data prepare` write is read here.
#pragma once

#include "core/config/section.h"
#include "data/formats/sample_shard.h"
#include "data/loader/loader.h"
#include "data/tasks/pixels.h"
#include "data/tasks/sample_facts.h"
#include "data/tasks/splits.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longconv::data {

struct SampleConfig : config::Section {
  explicit SampleConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "A sample shard, and what is read of it") {}
  config::Key<std::string> path{this, "path", "",
                                "sample shard (.lcs), as `longconv data generate` or "
                                "`longconv data prepare` writes it"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 0, config::at_least(std::int64_t{0}),
                                    "token sequences are cut to this; 0 = the longest"};
  config::Key<std::string> pad{this, "pad", "batch", config::one_of({"batch", "seq_len"}),
                               "token sequences are padded to the batch's longest, or to seq_len"};
  config::Key<std::string> pad_side{this, "pad_side", "usual",
                                    config::one_of({"usual", "left", "right"}),
                                    "where; usual = as the task does, DNA on the left"};
  config::Key<bool> reverse_complement{this, "reverse_complement", false,
                                       "DNA, part train: show every second sequence from the other "
                                       "strand, by chance"};
  SplitConfig split{this};
  PixelConfig pixels{this};
};

/// Batches:
///   images     input (B, L, channels) float32 or (B, L) int64 tokens, target (B) int64
///   sequences  input (B, L) int64, padded with the shard's value (0, DNA 4) on the right (DNA: on
///              the left), lengths (B), target (B)
///   pairs      input (2 B, L): first all first texts, then all second ones; lengths (2 B)
class SampleDataset final : public Dataset {
 public:
  /// Throws ConfigError for keys that do not fit the shard, DataError for a damaged shard.
  explicit SampleDataset(const SampleConfig& config);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;  ///< the longest that get() can return
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  [[nodiscard]] const SampleFacts& facts() const { return facts_; }
  [[nodiscard]] const SampleLayout& layout() const { return shard_.view().layout(); }

 private:
  [[nodiscard]] Batch batch_of(std::span<const std::int64_t> indices,
                               const std::uint64_t* keys) const;
  SampleShard shard_;
  SampleFacts facts_;
  std::vector<std::int64_t> members_;  // samples of the part
  std::optional<PixelTransform> transform_;
  std::int64_t seq_len_ = 0;
  bool pad_to_seq_len_ = false;
  bool pad_left_ = false;
  bool reverse_complement_ = false;
};

}  // namespace longconv::data
