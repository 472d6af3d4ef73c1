// metrics.jsonl: one JSON object a line, the source of truth for every curve and table of a run.
//
//   {"step":120,"split":"train","time":"2026-...","loss":3.2,"lr":0.0006,"tokens_per_s":81234.0}
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

/// One line. Names the report knows: "loss" (nats per token), "lr", "tokens_per_s", "elapsed_s"
/// (training time so far, over resumes); any other name gets a chart of its own. A value that is no
/// finite number is written as null and read back as NaN.
struct MetricRecord {
  std::int64_t step = 0;
  std::string split;  ///< "train" or "validation"
  std::vector<std::pair<std::string, double>> values;
  std::string time;  ///< ISO 8601, UTC, with milliseconds; empty = append() takes the present
};

/// Appends whole lines. Opened for a resume, it first drops (atomically) what lies after
/// `from_step` and a half-written last line, so that a killed and resumed run has each step once.
class MetricsLog {
 public:
  /// Throws EnvironmentError if the file cannot be written, DataError (file and line) if a whole
  /// line of it is no metric record.
  MetricsLog(const std::filesystem::path& path, std::int64_t from_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;
  /// Throws EnvironmentError (full disk); the file then still ends with a whole line.
  void append(const MetricRecord& record);
  void sync();  ///< fsync; called with each checkpoint

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// All whole lines; a half-written last one is ignored. Throws DataError with file and line for a
/// malformed one.
std::vector<MetricRecord> read_metrics(const std::filesystem::path& path);

}  // namespace longconv::train
