#include "data/tasks/corpus_recipes.h"

#include "core/base/check.h"
#include "data/formats/documents.h"

#include <algorithm>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

template <class T>
void choose(T& option, const T& unchosen, const T& value) {
  if (option == unchosen) option = value;
}

fs::path only_folder(const PrepareOptions& options, const char* name) {
  LONGCONV_CHECK(options.sources.size() == 1, UsageError,
                 "data prepare {}: expected one folder, got {} words", name,
                 options.sources.size());
  return options.sources.front();
}

void text(PrepareOptions& options) { choose<std::string>(options.tokenizer, "", "bytes"); }

/// Each line is a document with its line break, and none has an EOS; blank lines are no documents.
void wikitext(PrepareOptions& options) {
  const fs::path folder = only_folder(options, "wikitext");
  options.sources = {(folder / "wiki.train.raw").string()};
  if (options.validation.empty()) options.validation = {(folder / "wiki.valid.raw").string()};
  options.lines = true;
  options.eos = false;
  choose<std::string>(options.tokenizer, "", "gpt2");
}

/// No split of its own: 0.0005 of the documents, seed 2357. Which these are is our own choice.
void openwebtext(PrepareOptions& options) {
  constexpr double kShare = 0.0005;
  choose(options.validation_share, 0.0, kShare);
  choose<std::string>(options.tokenizer, "", "gpt2");
}

/// The first 4,000 characters of each document as WordPiece ids without special tokens, at most
/// 510: data/tasks/mlm.h puts [CLS] and [SEP] around as many as it shows.
void c4(PrepareOptions& options) {
  constexpr std::int64_t kChars = 4000;
  constexpr std::int64_t kTokens = 510;
  const fs::path folder = only_folder(options, "c4");
  std::vector<fs::path> ignored;
  options.sources.clear();
  const bool given = !options.validation.empty();
  for (const fs::path& path : list_documents(folder, ignored)) {
    const std::string name = path.filename().string();
    if (name.starts_with("c4-train.")) options.sources.push_back(path.string());
    if (name.starts_with("c4-validation.") && !given) options.validation.push_back(path.string());
  }
  LONGCONV_CHECK(!options.sources.empty(), DataError,
                 "{}: expected files like c4-train.00000-of-01024.json.gz", folder.string());
  options.eos = false;
  choose<std::int64_t>(options.document_chars, 0, kChars);
  choose<std::int64_t>(options.document_tokens, 0, kTokens);
  choose<std::string>(options.tokenizer, "", "bert");
}

constexpr CorpusRecipe kRecipes[] = {
    {"text", "any text", &text},
    {"wikitext", "WikiText-103 or -2: wiki.train.raw and wiki.valid.raw", &wikitext},
    {"openwebtext", "documents with 0.0005 of them for validation", &openwebtext},
    {"c4", "C4 for masked language models: c4-train.*.json.gz and c4-validation.*", &c4},
};

}  // namespace

std::span<const CorpusRecipe> corpus_recipes() { return kRecipes; }

void apply_recipe(PrepareOptions& options) {
  const CorpusRecipe* recipe = &kRecipes[0];
  if (options.sources.size() >= 2) {
    const auto* found = std::find_if(
        std::begin(kRecipes), std::end(kRecipes),
        [&](const CorpusRecipe& each) { return each.name == options.sources.front(); });
    if (found != std::end(kRecipes)) {
      recipe = found;
      options.sources.erase(options.sources.begin());
    }
  }
  recipe->apply(options);
}

}  // namespace longconv::data
