// Associative recall and induction heads (H3, arXiv:2212.14052; Hyena, arXiv:2302.10866): sequences
// whose last symbol follows from what stood behind an earlier one. Generated as they are asked for.
#pragma once

#include "core/config/section.h"
#include "data/loader/loader.h"
#include "data/tasks/pathfinder.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

/// What both tasks share. Symbols are the numbers 0 to vocabulary - 3, "=>" and ".", sorted as
/// text.
struct SyntheticConfig : config::Section {
  explicit SyntheticConfig(std::string help) : Section(nullptr, "", std::move(help)) {}
  config::Key<std::int64_t> vocabulary{this, "vocabulary", 20,
                                       config::between(std::int64_t{6}, std::int64_t{65'536}),
                                       "symbols, the two special ones included"};
  config::Key<std::int64_t> input_len{this, "input_len", 128,
                                      config::between(std::int64_t{4}, std::int64_t{1} << 24),
                                      "symbols before the question, rounded down to whole pairs"};
  config::Key<std::int64_t> count{this, "count", 5000, config::at_least(std::int64_t{1}),
                                  "sequences"};
  config::Key<std::int64_t> seed{this, "seed", 2222, config::at_least(std::int64_t{0}),
                                 "sequence i is a pure function of (seed, i) and the keys here"};
};

/// (key, value) pairs, then "=>", a key that has been there, and its value.
struct RecallConfig : SyntheticConfig {
  RecallConfig() : SyntheticConfig("Associative recall, generated") {}
};

/// Random symbols with "=> x" in them, once or up to `triggers` times; at the end "=>" and x.
struct InductionConfig : SyntheticConfig {
  InductionConfig() : SyntheticConfig("Induction heads, generated") {}
  config::Key<std::int64_t> triggers{this, "triggers", 1,
                                     config::between(std::int64_t{1}, std::int64_t{1024}),
                                     "places of the trigger at most"};
};

/// One sequence; the last symbol is the answer.
std::vector<std::uint16_t> recall_sequence(const RecallConfig& config, std::int64_t index);
std::vector<std::uint16_t> induction_sequence(const InductionConfig& config, std::int64_t index);

/// The text of each symbol.
std::vector<std::string> synthetic_symbols(std::int64_t vocabulary);

/// Sample shards: a sequence each, the answer as its label.
Generated write_recall(const RecallConfig& config, const std::filesystem::path& path,
                       std::int64_t threads);
Generated write_induction(const InductionConfig& config, const std::filesystem::path& path,
                          std::int64_t threads);

/// Next-symbol prediction: input all but the last symbol, target all but the first; -100 where
/// nothing is asked: nowhere for training (score_all), everywhere but at the end for tests. Keeps a
/// reference to the configuration.
template <class Config>
class SyntheticStream final : public Dataset {
 public:
  SyntheticStream(const Config& config, bool score_all) : config_(config), score_all_(score_all) {}
  [[nodiscard]] std::int64_t size() const override { return config_.count(); }
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;

 private:
  const Config& config_;
  bool score_all_;
};

using RecallStream = SyntheticStream<RecallConfig>;
using InductionStream = SyntheticStream<InductionConfig>;

}  // namespace longconv::data
