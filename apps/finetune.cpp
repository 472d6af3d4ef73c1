// longconv finetune: runs from a model's weights, one a seed, and the mean of what they reach.
#include "train/loop/finetune.h"

#include "apps/commands.h"
#include "apps/glue_scores.h"
#include "apps/print_facts.h"
#include "apps/version.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "train/checkpoint/folder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Of a GLUE task its own metrics of every part, in place of the training's evaluation: those of
/// the last checkpoint, as the tables have them, whatever the best was.
void score(train::SeedRun& run, bool submit) {
  const fs::path last = run.outcome.folder / "checkpoints" / "latest";
  const ModelPlace place = find_model(last);
  const auto config = load_config(place, {});
  const GlueScored scored = score_glue(place, *config, last.string(),
                                       submit ? run.outcome.folder / "submission" : fs::path());
  keep_glue(place, scored.result);
  run.values.clear();
  for (const train::GluePartScores& part : scored.result.parts) {
    const std::string suffix = part.part == "validation_mismatched" ? "_mismatched" : "";
    for (const auto& [name, value] : part.scores) run.values.emplace_back(name + suffix, value);
  }
}

ordered_json to_json(const std::vector<std::pair<std::string, double>>& values) {
  ordered_json out = ordered_json::object();
  for (const auto& [name, value] : values) out[name] = value;
  return out;
}

}  // namespace

ExitCode finetune(const FinetuneOptions& options) {
  train::RunConfig config;
  config::load(config, options.config);
  for (const std::string& text : options.overrides) config::apply_override(config, text);
  const bool glue = config.data.task() == "glue";
  LONGCONV_CHECK(!options.submission || glue, UsageError,
                 "--submission is for GLUE tasks, data.task is \"{}\"", config.data.task());
  train::Launch launch;
  launch.config_path = options.config;
  launch.config_text = files::read_text(options.config);
  launch.overrides = options.overrides;
  launch.progress = options.progress;
  const Version built = version();
  launch.program = fmt::format("longconv {}, commit {}", built.version, built.commit);
  std::vector<train::SeedRun> runs = train::finetune(config, launch);
  if (runs.back().outcome.code != ExitCode::ok) {
    log::info("go on with the same command");
    return runs.back().outcome.code;
  }
  ordered_json out = {{"config", options.config}, {"runs", ordered_json::array()}};
  for (train::SeedRun& run : runs) {
    if (glue) score(run, options.submission);
    out["runs"].push_back({{"seed", run.seed},
                           {"folder", run.outcome.folder.string()},
                           {"step", run.outcome.step},
                           {"values", to_json(run.values)}});
  }
  out["mean"] = to_json(train::mean_values(runs));
  const std::string text = out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
  if (runs.size() > 1) {
    const fs::path file = runs.front().outcome.folder.parent_path() / "finetune.json";
    files::write_atomic(file, text + "\n");
    log::info("results of all seeds in {}", file.string());
  }
  print_result(text, options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
