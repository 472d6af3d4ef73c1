#include "train/report/run_folder.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "train/report/markup.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

void flatten(const Json& json, const std::string& prefix,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (json.is_structured() && !json.empty()) {
    for (const auto& [key, value] : json.items()) {
      flatten(value, prefix.empty() ? key : fmt::format("{}.{}", prefix, key), out);
    }
    return;
  }
  out.emplace_back(prefix, json.is_string() ? json.get<std::string>() : json.dump());
}

std::vector<std::pair<std::string, std::string>> read_environment(const fs::path& path) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!fs::exists(path)) return out;
  try {
    flatten(Json::parse(files::read_text(path)), "", out);
  } catch (const Json::exception& error) {
    throw DataError(
        fmt::format("{}: expected JSON, got something else ({}); remove the file to "
                    "make the report without it",
                    path.string(), error.what()));
  }
  return out;
}

std::vector<fs::path> files_in(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == extension) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

double median(std::vector<double> values) {
  if (values.empty()) return kNone;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Finite values only.
std::vector<double> values_of(const RunFolder& run, const std::string& split,
                              const std::string& metric) {
  std::vector<double> values;
  for (const auto& [step, value] : curve(run, split, metric)) {
    if (std::isfinite(value)) values.push_back(value);
  }
  return values;
}

double wall_seconds(const RunFolder& run) {
  const std::vector<double> elapsed = values_of(run, "train", "elapsed_s");
  if (!elapsed.empty()) return elapsed.back();
  if (run.metrics.empty()) return kNone;
  return parse_utc_time(run.metrics.back().time) - parse_utc_time(run.metrics.front().time);
}

}  // namespace

RunFolder read_run_folder(const fs::path& path) {
  LONGCONV_CHECK(fs::is_directory(path), DataError,
                 "{}: expected a run folder, found {}; give a folder that `longconv train` made",
                 path.string(), fs::exists(path) ? "a file" : "nothing");
  const fs::path metrics = path / "metrics.jsonl";
  const fs::path config = path / "config.toml";
  LONGCONV_CHECK(
      fs::exists(metrics) || fs::exists(config), DataError,
      "{}: expected a run folder, but it has neither metrics.jsonl nor config.toml; give "
      "a folder that `longconv train` made",
      path.string());
  RunFolder run;
  run.path = path;
  run.name = fs::weakly_canonical(path).filename().string();
  if (fs::exists(metrics)) run.metrics = read_metrics(metrics);
  if (fs::exists(config)) run.config = files::read_text(config);
  run.environment = read_environment(path / "environment.json");
  for (const fs::path& file : files_in(path / "results", ".json")) {
    auto result = read_any_result(file);
    if (auto* labels = std::get_if<AccuracyResult>(&result)) {
      run.accuracies.push_back(std::move(*labels));
    } else if (auto* glue = std::get_if<GlueResult>(&result)) {
      run.glue.push_back(std::move(*glue));
    } else {
      run.results.push_back(std::get<EvaluationResult>(std::move(result)));
    }
  }
  for (const fs::path& file : files_in(path / "samples", ".txt")) {
    run.samples.emplace_back(file.filename().string(), files::read_text(file));
  }
  return run;
}

std::vector<std::pair<double, double>> curve(const RunFolder& run, const std::string& split,
                                             const std::string& metric) {
  std::vector<std::pair<double, double>> points;
  for (const MetricRecord& record : run.metrics) {
    if (record.split != split) continue;
    for (const auto& [name, value] : record.values) {
      if (name == metric) points.emplace_back(static_cast<double>(record.step), value);
    }
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return points;
}

RunSummary summarise(const RunFolder& run) {
  RunSummary summary{0, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
  for (const MetricRecord& record : run.metrics) {
    summary.steps = std::max(summary.steps, record.step);
  }
  const std::vector<double> losses = values_of(run, "train", "loss");
  if (!losses.empty()) summary.final_loss = losses.back();
  for (const auto& [step, loss] : curve(run, "validation", "loss")) {
    if (!std::isfinite(loss) || loss >= summary.best_validation_loss) continue;
    summary.best_validation_loss = loss;
    summary.best_step = step;
  }
  for (const auto& [step, bits] : curve(run, "validation", "bits_per_byte")) {
    if (step == summary.best_step) summary.bits_per_byte = bits;
  }
  // A classifier's loss has no perplexity.
  if (curve(run, "validation", "accuracy").empty() &&
      curve(run, "validation", "r_squared").empty()) {
    summary.perplexity = std::exp(summary.best_validation_loss);
  }
  for (const EvaluationResult& result : run.results) {
    if (result.task != "perplexity") continue;
    summary.perplexity = result.perplexity;
    summary.bits_per_byte = result.bits_per_byte;
    break;
  }
  summary.tokens_per_s = median(values_of(run, "train", "tokens_per_s"));
  summary.wall_s = wall_seconds(run);
  for (const auto& [key, value] : run.environment) {
    if (key == "parameters") summary.parameters = std::strtod(value.c_str(), nullptr);
  }
  return summary;
}

}  // namespace longconv::train
