// One tensor behind several names.
//
// Published state dicts show some tensors more than once: the frequency that all sine activations
// of a filter share (models.md 1.3), the head tied to the embedding (2.2). Here such a tensor is
// registered once, under its first name, so that an optimiser, a gradient norm or a parameter count
// that walks named_parameters() can never see it twice; the other names are aliases, which loading
// accepts and checks.
#pragma once

#include <string>
#include <vector>

namespace longconv::models {

struct Alias {
  std::string alias;  ///< the further name
  std::string name;   ///< as in named_parameters(); both relative to the module that declares them
};

/// Mixed into modules that have such tensors.
class HasAliases {
 public:
  virtual ~HasAliases() = default;
  [[nodiscard]] virtual std::vector<Alias> aliases() const = 0;
};

}  // namespace longconv::models
