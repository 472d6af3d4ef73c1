// Which samples belong to train, validation and test where a data set does not say so itself.
#pragma once

#include "core/config/section.h"
#include "data/tasks/sample_facts.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// How parts are cut; which one is read, the reader says.
struct SplitRules : config::Section {
  explicit SplitRules(Section* parent = nullptr, std::string name = "split")
      : Section(parent, std::move(name), "How a data set is cut into parts") {}
  config::Key<std::string> rule{
      this, "rule", "torch", config::one_of({"torch", "in_order"}),
      "how parts are cut: torch = along torch.randperm(n) with split.seed, as S4 and safari do; "
      "in_order = first samples train, last test, as LRA does"};
  config::Key<std::int64_t> seed{this, "seed", 42, config::at_least(std::int64_t{0}),
                                 "of the torch rule"};
  config::Key<double> validation_share{
      this, "validation_share", 0.1, config::between(0.0, 0.9),
      "of all samples, or of train where the data set has a test part but no validation; with 0 "
      "the test part is validation too"};
};

struct SplitConfig : SplitRules {
  explicit SplitConfig(Section* parent = nullptr, std::string name = "split")
      : SplitRules(parent, std::move(name)) {}
  config::Key<std::string> part{this, "part", "train",
                                config::one_of({"train", "validation", "test"}), "what is read"};
};

/// Indices of the samples of `part` (train, validation, test), in order; nothing if there is no
/// such part. `published` are the data set's own parts; with none of them, test is a tenth and
/// validation its share (data.md 0).
std::optional<std::vector<std::int64_t>> part_indices(const SplitRules& config,
                                                      std::string_view part, std::int64_t samples,
                                                      const std::vector<SampleSplit>& published);

/// Those of config.part. Throws ConfigError for a part that is not there.
std::vector<std::int64_t> split_indices(const SplitConfig& config, std::int64_t samples,
                                        const std::vector<SampleSplit>& published);

/// torch.randperm(n) of a CPU generator seeded with `seed`.
std::vector<std::int64_t> torch_permutation(std::int64_t n, std::uint64_t seed);

}  // namespace longconv::data
