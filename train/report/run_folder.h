// A run folder (config.md, "Folders") as the report sees it: what is there is read, the rest is
// empty.
#pragma once

#include "train/report/metrics.h"
#include "train/report/results.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

struct RunFolder {
  std::filesystem::path path;
  std::string name;  ///< the folder's own name
  std::vector<MetricRecord> metrics;
  std::string config;                                            ///< config.toml
  std::vector<std::pair<std::string, std::string>> environment;  ///< flattened: "gpu.name", value
  std::vector<EvaluationResult> results;                         ///< results/*.json by name
  std::vector<AccuracyResult> accuracies;                        ///< those of classifiers
  std::vector<GlueResult> glue;                                  ///< those of GLUE's tasks
  std::vector<std::pair<std::string, std::string>> samples;      ///< samples/*.txt: name, text
};

/// Throws DataError if the folder is no run (neither metrics.jsonl nor config.toml) or one of its
/// files is malformed.
RunFolder read_run_folder(const std::filesystem::path& path);

/// Figures of a run; NaN where it has none.
struct RunSummary {
  std::int64_t steps = 0;
  double final_loss;            ///< last "loss" of the split "train"
  double best_validation_loss;  ///< lowest "loss" of the split "validation"
  double best_step;
  double perplexity;     ///< of the first result, else that of the best validation loss
  double bits_per_byte;  ///< of the first result
  double tokens_per_s;   ///< median of the training records
  double wall_s;         ///< last "elapsed_s", else the time from the first record to the last
  double parameters;     ///< environment.json, "parameters"
};
RunSummary summarise(const RunFolder& run);

/// The (step, value) pairs of one metric of one split, by step.
std::vector<std::pair<double, double>> curve(const RunFolder& run, const std::string& split,
                                             const std::string& metric);

}  // namespace longconv::train
