// A small run with every kind of key, table and list, for the tests of this room.
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::config {

struct GroupSection : Section {
  explicit GroupSection(Section* parent = nullptr) : Section(parent, "group", "By name") {}
  Key<std::string> match{this, "match", "", "pattern"};
  Key<double> lr{this, "lr", -1.0, "learning rate"};
};

struct OptimSection : Section {
  explicit OptimSection(Section* parent) : Section(parent, "optim", "The optimiser") {
    add_list({"group", "Parameters by name", [this] { return &group.append(); },
              [this] { return group.elements(); }, [this] { group.clear(); }});
  }
  Key<std::string> name{this, "name", "adamw", one_of({"adamw", "sgd"}), "optimiser"};
  Key<double> lr{this, "lr", 6e-4, above(0.0), "peak learning rate"};
  Key<double> dropout{this, "dropout", 0.0, between(0.0, 1.0), "share"};
  Key<std::vector<double>> betas{this, "betas", {0.9, 0.98}, "moments"};
  SectionList<GroupSection> group;
};

struct FilterSection : Section {
  explicit FilterSection(Section* parent) : Section(parent, "filter", "Implicit filter") {}
  Key<std::int64_t> d_hidden{this, "d_hidden", 64, at_least(std::int64_t{1}), "width"};
  Key<std::int64_t> n_bands{this, "n_bands", 16, between(std::int64_t{1}, std::int64_t{64}),
                            "bands"};
  Key<double> decay{this, "decay", 0.3, at_least(0.0), "decay"};
  Key<bool> modulate{this, "modulate", true, "window"};
};

struct ModelSection : Section {
  explicit ModelSection(Section* parent) : Section(parent, "model", "The model") {}
  Key<std::string> family{this, "family", "hyena", "family"};
  Key<std::vector<std::int64_t>> layers{this, "layers", {}, "layers"};
  Key<std::vector<std::string>> names{this, "names", {"a", "b"}, "names"};
  FilterSection filter{this};
};

struct SmallConfig : Section {
  SmallConfig() : Section(nullptr, "", "One run") {}
  Key<std::int64_t> seed{this, "seed", 2222, "seed"};
  ModelSection model{this};
  OptimSection optim{this};
};

}  // namespace longconv::config
