// Published corpora by name: which of their files is what, and how safari and M2 cut them into
// documents (data.md 4.2, 4.5, 6.1).
#pragma once

#include "data/tasks/prepare.h"

#include <span>
#include <string_view>

namespace longconv::data {

struct CorpusRecipe {
  std::string_view name;
  std::string_view what;  ///< for people
  /// Fills in what the user has not chosen; `sources` are what stands behind the name. Throws
  /// UsageError, DataError.
  void (*apply)(PrepareOptions& options);
};

/// text, wikitext, openwebtext, c4.
std::span<const CorpusRecipe> corpus_recipes();

/// If the first source is a recipe's name and others follow: takes it away and applies the recipe.
void apply_recipe(PrepareOptions& options);

}  // namespace longconv::data
