#include "train/evaluation/glue_score.h"

#include "core/base/check.h"
#include "train/evaluation/label_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace longconv::train {

namespace {

struct Metrics {
  std::string_view task;
  std::vector<std::string> names;
};

const std::vector<Metrics>& metrics() {
  static const std::vector<Metrics> all = {
      {"cola", {"matthews"}},       {"sst2", {"accuracy"}},
      {"mrpc", {"f1", "accuracy"}}, {"qnli", {"accuracy"}},
      {"qqp", {"f1", "accuracy"}},  {"mnli", {"accuracy"}},
      {"rte", {"accuracy"}},        {"stsb", {"pearson", "spearman"}},
      {"wnli", {"accuracy"}},       {"ax", {"matthews"}}};
  return all;
}

/// One value that an average is made of.
struct Part {
  std::string task;
  std::vector<std::string> names;
};

double mean_of(const GlueScores& scores, const std::vector<std::vector<Part>>& tasks) {
  double sum = 0;
  for (const std::vector<Part>& task : tasks) {
    double task_sum = 0;
    std::int64_t count = 0;
    for (const Part& part : task) {
      for (const std::string& name : part.names) {
        const auto found = scores.find(part.task);
        const bool there = found != scores.end() && found->second.count(name) > 0;
        LONGCONV_CHECK(there, DataError, "GLUE average: {} of {} is missing", name, part.task);
        task_sum += found->second.at(name);
        ++count;
      }
    }
    sum += task_sum / static_cast<double>(count);
  }
  return sum / static_cast<double>(tasks.size());
}

}  // namespace

TaskScores glue_scores(std::string_view task, std::span<const double> labels,
                       std::span<const double> predictions) {
  const auto found = std::find_if(metrics().begin(), metrics().end(),
                                  [&](const Metrics& each) { return each.task == task; });
  LONGCONV_CHECK(found != metrics().end(), DataError, "GLUE has no task \"{}\"", task);
  const auto ids = [](std::span<const double> values) {
    std::vector<std::int64_t> out;
    out.reserve(values.size());
    for (const double value : values) out.push_back(std::llround(value));
    return out;
  };
  TaskScores scores;
  for (const std::string& name : found->names) {
    double& score = scores[name];
    if (name == "pearson") score = pearson(labels, predictions);
    if (name == "spearman") score = spearman(labels, predictions);
    if (name == "accuracy") score = accuracy(ids(labels), ids(predictions));
    if (name == "f1") score = f1(ids(labels), ids(predictions));
    if (name == "matthews") score = matthews(ids(labels), ids(predictions));
  }
  return scores;
}

double glue_leaderboard_average(const GlueScores& scores) {
  return mean_of(scores, {{{"cola", {"matthews"}}},
                          {{"sst2", {"accuracy"}}},
                          {{"mrpc", {"f1", "accuracy"}}},
                          {{"stsb", {"pearson", "spearman"}}},
                          {{"qqp", {"f1", "accuracy"}}},
                          {{"mnli", {"accuracy"}}, {"mnli_mismatched", {"accuracy"}}},
                          {{"qnli", {"accuracy"}}},
                          {{"rte", {"accuracy"}}},
                          {{"wnli", {"accuracy"}}}});
}

double glue_m2_average(const GlueScores& scores) {
  return mean_of(scores, {{{"mnli", {"accuracy"}}, {"mnli_mismatched", {"accuracy"}}},
                          {{"rte", {"accuracy"}}},
                          {{"qqp", {"accuracy", "f1"}}},
                          {{"qnli", {"accuracy"}}},
                          {{"sst2", {"accuracy"}}},
                          {{"stsb", {"spearman"}}},
                          {{"mrpc", {"f1"}}},
                          {{"cola", {"matthews"}}}});
}

}  // namespace longconv::train
