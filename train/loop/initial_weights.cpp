#include "train/loop/initial_weights.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "models/weights/extend.h"
#include "models/weights/model_folder.h"
#include "train/checkpoint/folder.h"
#include "train/optim/groups.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;

/// Keys that say what the same tensors compute, and that no tensor's shape shows.
constexpr const char* kMeaning[] = {"model.filter.shift",      "model.filter.modulate",
                                    "model.filter.layout",     "model.norm_eps",
                                    "model.attention.n_heads", "model.attention.rotary_dim"};

/// How the names of heads, and of what a fine-tuning adds, begin (models.md 2.2, 3.2, 5.2, 5.6).
constexpr std::string_view kHeads[] = {"lm_head.", "cls.",   "classifier.", "decoder.",
                                       "head.",    "score.", "soft_prompt"};

/// A pooler is loaded with the body where the source has one, and starts afresh where it has none
/// (a masked language model's).
constexpr std::string_view kPooler = "bert.pooler.";

template <class Value>
bool has_pooler(const std::map<std::string, Value>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const auto& item) { return item.first.starts_with(kPooler); });
}

struct SourcePlace {
  fs::path weights;
  fs::path config;
};

SourcePlace find_source(const config::Key<std::string>& key) {
  const fs::path folder = key();
  if (!fs::is_directory(folder)) {
    key.fail(
        fmt::format("expected a model folder, a run or a checkpoint, got \"{}\"", folder.string()));
  }
  const bool is_run = fs::exists(folder / "checkpoints") || fs::exists(folder / kCompleteFile);
  const fs::path own = is_run ? find_checkpoint(folder) : folder;
  const fs::path config = is_run ? fs::canonical(own).parent_path().parent_path() / "config.toml"
                                 : folder / "config.toml";
  if (!fs::exists(own / kModelFile) || !fs::exists(config)) {
    key.fail(fmt::format("{}: expected {} and config.toml in it", own.string(), kModelFile));
  }
  return {own / kModelFile, config};
}

std::string value_of(const config::Section& section, const std::string& path) {
  for (const config::KeyBase* key : config::all_keys(section)) {
    if (key->path() == path) return key->to_toml();
  }
  return {};
}

void check_meaning(const RunConfig& config, const SourcePlace& source) {
  RunConfig other;
  config::load(other, source.config.string());
  for (const config::KeyBase* key : config::all_keys(config)) {
    const auto* const named = std::find(std::begin(kMeaning), std::end(kMeaning), key->path());
    if (named == std::end(kMeaning)) continue;
    const std::string wanted = value_of(other, *named);
    if (key->to_toml() == wanted) continue;
    key->fail(fmt::format("is {}, but the weights of init.from were trained with {} ({})",
                          key->to_toml(), wanted, source.config.string()));
  }
}

}  // namespace

bool is_head_tensor(const std::string& name) {
  return std::any_of(std::begin(kHeads), std::end(kHeads),
                     [&](std::string_view head) { return name.starts_with(head); });
}

void freeze_parameters(const RunConfig& config, models::Model& model) {
  bool left = false;
  std::vector<bool> used(config.init.freeze().size(), false);
  for (auto& parameter : model.named_parameters()) {
    bool frozen = false;
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!glob_match(config.init.freeze()[i], parameter.key())) continue;
      used[i] = frozen = true;
    }
    parameter->set_requires_grad(!frozen);
    left = left || !frozen;
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      config.init.freeze.fail(fmt::format("\"{}\" matches no parameter; the first is {}",
                                          config.init.freeze()[i],
                                          model.named_parameters().front().key()));
    }
  }
  if (!left) config.init.freeze.fail("leaves no parameter to train");
}

void load_initial_weights(const RunConfig& config, models::Model& model) {
  if (config.init.from().empty()) return;
  const SourcePlace source = find_source(config.init.from);
  check_meaning(config, source);
  const files::SafetensorsFile file(source.weights);
  models::NamedTensors named{file.tensors(), {}, {}};
  std::vector<std::string> extended;
  if (config.model.family() == "m2_bert") extended = models::extend_m2_bert(named, config.model);
  std::map<std::string, files::TensorView>& views = named.tensors;
  models::fold_aliases(views, model, source.weights.string());
  std::map<std::string, at::Tensor> wanted = models::state_dict(model);
  const bool load_head = config.init.load_head();
  const bool load_pooler = load_head || (has_pooler(views) && has_pooler(wanted));
  const auto leave_out = [&](const std::string& name) {
    return name.starts_with(kPooler) ? !load_pooler : !load_head && is_head_tensor(name);
  };
  std::vector<std::string> fresh;
  for (const auto& item : wanted) {
    if (leave_out(item.first)) fresh.push_back(item.first);
  }
  for (const std::string& name : fresh) wanted.erase(name);
  std::erase_if(views, [&](const auto& item) { return leave_out(item.first); });
  models::copy_weights(wanted, views, source.weights.string());
  for (const std::string& line : extended) log::info("{}: {}", source.weights.string(), line);
  log::info("starting from the weights of {}{}", source.weights.string(),
            fresh.empty() ? "" : fmt::format("; afresh: {}", fmt::join(fresh, ", ")));
}

}  // namespace longconv::train
