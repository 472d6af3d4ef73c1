// In-context learning on labelled DNA (HyenaDNA, arXiv:2306.15794; data.md 7.8): a prompt shows
// some sequences of each class with their labels, then one without.
//
//   shots, shuffled: sequence [SEP] label [SEP]; then: query [SEP]; asked for: the query's label
//
// Labels borrow ids: two classes are A and N, three A, G and N.
#pragma once

#include "data/formats/sample_shard.h"
#include "data/loader/loader.h"
#include "data/tasks/dna_config.h"
#include "data/tasks/sample_facts.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

/// One part that is read alone.
struct DnaPromptConfig : DnaPromptKeys {
  explicit DnaPromptConfig(Section* parent = nullptr, std::string name = "")
      : DnaPromptKeys(parent, std::move(name), "Prompts of labelled DNA sequences") {}
  config::Key<std::string> path{this, "path", "",
                                "sample shard of 2 or 3 classes, as `longconv data prepare "
                                "genomic_benchmark` writes it"};
  config::Key<std::string> part{this, "part", "test", config::one_of({"train", "test"}),
                                "which sequences are asked for"};
};

/// Batches: input (B, L) int64, PAD on the left; lengths (B); target (B) int64, the label's id.
/// draw() shows other sequences in each epoch; get() always the same.
class DnaPrompts final : public Dataset {
 public:
  /// Throws ConfigError, DataError.
  explicit DnaPrompts(const DnaPromptConfig& config);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;  ///< of a prompt at most
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;

 private:
  [[nodiscard]] std::vector<std::int64_t> prompt(std::int64_t sample, std::uint64_t key) const;
  void append(std::int64_t sample, std::vector<std::int64_t>& to) const;
  [[nodiscard]] std::int64_t label_id(std::int64_t sample) const;
  SampleShard shard_;
  SampleFacts facts_;
  std::vector<std::int64_t> members_;
  std::vector<std::vector<std::int64_t>> shown_;  // train samples of each class
  std::int64_t shots_;
  std::int64_t max_length_;
};

}  // namespace longconv::data
