#include "train/loop/finetune.h"

#include "core/base/log.h"
#include "train/loop/parts.h"
#include "train/report/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;

std::vector<std::pair<std::string, double>> last_evaluation(const fs::path& run) {
  std::vector<std::pair<std::string, double>> out;
  for (const MetricRecord& record : read_metrics(run / "metrics.jsonl")) {
    if (record.split == "validation") out = record.values;
  }
  return out;
}

/// One run of the configuration, `overrides` behind its own.
SeedRun run_once(const Launch& launch, const std::vector<std::string>& overrides) {
  Launch own = launch;
  own.overrides.insert(own.overrides.end(), overrides.begin(), overrides.end());
  RunConfig config;
  config::load(config, own.config_path);
  for (const std::string& text : own.overrides) config::apply_override(config, text);
  SeedRun out;
  out.seed = config.seed();
  out.outcome = train(config, own);
  if (out.outcome.code == ExitCode::ok && !launch.dry_run) {
    out.values = last_evaluation(out.outcome.folder);
  }
  return out;
}

void check(const RunConfig& config) {
  if (config.init.from().empty()) {
    config.init.from.fail(
        "expected the model to start from (a model folder, a run or a checkpoint), got nothing; "
        "`longconv train` starts from random weights");
  }
  std::set<std::int64_t> seen;
  for (const std::int64_t seed : config.finetune.seeds()) {
    if (seed < 0) config.finetune.seeds.fail(fmt::format("expected seeds >= 0, got {}", seed));
    if (!seen.insert(seed).second) {
      config.finetune.seeds.fail(fmt::format("seed {} is listed twice", seed));
    }
  }
}

}  // namespace

std::vector<SeedRun> finetune(RunConfig& config, const Launch& launch) {
  check(config);
  if (config.finetune.seeds().empty()) return {run_once(launch, {})};
  resolve_keys(config, launch.config_path);
  std::vector<SeedRun> out;
  for (const std::int64_t seed : config.finetune.seeds()) {
    const fs::path folder = fs::path(config.run.dir()) / fmt::format("seed_{}", seed);
    log::info("seed {}: {}", seed, folder.string());
    out.push_back(run_once(launch, {fmt::format("seed={}", seed), "finetune.seeds=[]",
                                    fmt::format("run.dir=\"{}\"", folder.string())}));
    if (out.back().outcome.code != ExitCode::ok) break;
  }
  return out;
}

std::vector<std::pair<std::string, double>> mean_values(const std::vector<SeedRun>& runs) {
  std::vector<std::pair<std::string, double>> out;
  if (runs.empty()) return out;
  for (const auto& [name, first] : runs.front().values) {
    double sum = 0.0;
    std::size_t count = 0;
    for (const SeedRun& run : runs) {
      const auto found =
          std::find_if(run.values.begin(), run.values.end(),
                       [&, &wanted = name](const auto& v) { return v.first == wanted; });
      if (found == run.values.end()) continue;
      sum += found->second;
      ++count;
    }
    if (count == runs.size()) out.emplace_back(name, sum / static_cast<double>(count));
  }
  return out;
}

}  // namespace longconv::train
