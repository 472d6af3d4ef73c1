// What a GLUE task is measured by, and the two averages people quote (data.md 5.1 to 5.3).
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::train {

/// Value of each metric of a task, by name: accuracy, f1, matthews, pearson, spearman.
using TaskScores = std::map<std::string, double>;

/// `task` as in data/formats/glue_file.h. Label ids as whole numbers, scores for STS-B. Throws
/// DataError for an unknown task and what train/evaluation/label_metrics.h throws.
TaskScores glue_scores(std::string_view task, std::span<const double> labels,
                       std::span<const double> predictions);

/// By task; "mnli" is the matched part and "mnli_mismatched" the other.
using GlueScores = std::map<std::string, TaskScores>;

/// The leaderboard's score: nine tasks weigh alike, a task with two metrics or parts gives their
/// mean; AX does not count. Throws DataError naming what is missing.
double glue_leaderboard_average(const GlueScores& scores);

/// M2-BERT's (arXiv:2310.12109): eight tasks, no WNLI; of STS-B only Spearman, of MRPC only F1.
double glue_m2_average(const GlueScores& scores);

}  // namespace longconv::train
