#include "apps/model_place.h"

#include "core/base/check.h"
#include "data/tokenizers/tokenizer.h"
#include "train/checkpoint/folder.h"
#include "train/loop/shape.h"

#include <fmt/format.h>

#include <algorithm>

namespace longconv::apps {
namespace fs = std::filesystem;
namespace {

/// The run folder around a checkpoint: <run>/checkpoints/step_N, links followed.
fs::path run_of(const fs::path& checkpoint) {
  return fs::canonical(checkpoint).parent_path().parent_path();
}

std::string join(const std::vector<fs::path>& paths) {
  std::string text;
  for (const fs::path& path : paths) text += (text.empty() ? "" : ", ") + path.string();
  return text;
}

}  // namespace

ModelPlace find_model(const fs::path& folder) {
  constexpr const char* kWanted =
      "expected a run folder (config.toml, checkpoints/), a checkpoint folder (COMPLETE) or a "
      "model "
      "folder (config.toml, model.safetensors)";
  LONGCONV_CHECK(fs::exists(folder), CheckpointError, "{}: no such folder; {}", folder.string(),
                 kWanted);
  LONGCONV_CHECK(fs::is_directory(folder), CheckpointError, "{}: is a file; {}", folder.string(),
                 kWanted);
  ModelPlace place;
  if (fs::exists(folder / "checkpoints") || fs::exists(folder / train::kStateFile) ||
      fs::exists(folder / train::kCompleteFile)) {
    place.folder = train::find_checkpoint(folder);
    place.run = run_of(place.folder);
    place.config = place.run / "config.toml";
    LONGCONV_CHECK(fs::exists(place.config), CheckpointError,
                   "{}: its run's configuration {} is missing; a checkpoint is read inside its run "
                   "folder",
                   place.folder.string(), place.config.string());
  } else {
    place.folder = folder;
    place.config = folder / "config.toml";
    LONGCONV_CHECK(fs::exists(place.config) && fs::exists(folder / train::kModelFile),
                   CheckpointError, "{}: holds no model; {}", folder.string(), kWanted);
  }
  place.weights = place.folder / train::kModelFile;
  return place;
}

std::int64_t step_of(const ModelPlace& place) {
  const std::int64_t step = train::step_of(fs::canonical(place.folder).filename().string());
  return std::max<std::int64_t>(step, 0);
}

std::unique_ptr<train::RunConfig> load_config(const ModelPlace& place,
                                              const std::vector<std::string>& overrides) {
  auto config = std::make_unique<train::RunConfig>();
  config::load(*config, place.config.string());
  for (const std::string& text : overrides) config::apply_override(*config, text);
  if (!config->data.seq_len.is_set() && config->model.l_max() > 0) {
    config->data.seq_len.set(config->model.l_max());  // a model folder says nothing about data
  }
  return config;
}

std::shared_ptr<const data::Tokenizer> load_tokenizer(const ModelPlace& place,
                                                      const train::RunConfig& config) {
  std::string name = config.data.tokenizer();
  if (name.empty()) {
    std::vector<fs::path> candidates{place.folder / "tokenizer"};
    if (!place.run.empty()) candidates.push_back(place.run / "tokenizer");
    if (!config.data.path().empty()) {
      candidates.push_back(fs::path(config.data.path()) / "tokenizer");
    }
    for (const fs::path& candidate : candidates) {
      if (name.empty() && fs::exists(candidate)) name = candidate.string();
    }
    LONGCONV_CHECK(!name.empty(), DataError,
                   "{}: found no tokenizer in {}; name one with data.tokenizer=PATH",
                   place.folder.string(), join(candidates));
  }
  std::shared_ptr<const data::Tokenizer> tokenizer = data::open_tokenizer(name);
  LONGCONV_CHECK(tokenizer->vocab_size() <= config.model.vocab_size(), DataError,
                 "{}: the tokenizer ({}) has {} ids, but the model {} has {}; it was trained with "
                 "another one",
                 name, tokenizer->describe(), tokenizer->vocab_size(), place.folder.string(),
                 config.model.vocab_size());
  return tokenizer;
}

void fill_shapes(train::RunConfig& config) {
  const bool open = config.model.vocab_size() == 0 && config.model.d_input() == 0;
  if (!open && config.model.l_max() != 0) return;
  if (!open) return config.model.l_max.set(config.data.seq_len());
  try {
    train::resolve_shape(config);
  } catch (const DataError& error) {
    config.model.vocab_size.fail(
        fmt::format("is 0, which leaves it to the data, but they cannot be opened; set it, or "
                    "prepare the data first\n  {}",
                    error.what()));
  }
}

}  // namespace longconv::apps
