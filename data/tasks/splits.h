// Which samples belong to train, validation and test where a data set does not say so itself.
#pragma once

#include "core/config/section.h"
#include "data/tasks/sample_facts.h"

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::data {

struct SplitConfig : config::Section {
  explicit SplitConfig(Section* parent = nullptr, std::string name = "split")
      : Section(parent, std::move(name), "Which part of a data set is read") {}
  config::Key<std::string> part{this, "part", "train",
                                config::one_of({"train", "validation", "test"}), "what is read"};
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

/// Indices of the part's samples, in order. `published` are the data set's own parts; with none of
/// them, test is a tenth and validation its share (data.md 0). Throws ConfigError for a part that
/// is not there.
std::vector<std::int64_t> split_indices(const SplitConfig& config, std::int64_t samples,
                                        const std::vector<SampleSplit>& published);

/// torch.randperm(n) of a CPU generator seeded with `seed`.
std::vector<std::int64_t> torch_permutation(std::int64_t n, std::uint64_t seed);

}  // namespace longconv::data
