#include "train/report/metrics.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "train/report/append_file.h"
#include "train/report/markup.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>
#include <string_view>

namespace longconv::train {
namespace {

using Json = nlohmann::ordered_json;  // a line keeps the order in which its values were given

MetricRecord parse_record(std::string_view line) {
  const Json json = Json::parse(line);
  if (!json.is_object()) throw std::runtime_error("expected a JSON object");
  MetricRecord record;
  const Json& step = json.at("step");
  if (!step.is_number_integer()) throw std::runtime_error("step: expected an integer");
  record.step = step.get<std::int64_t>();
  record.split = json.at("split").get<std::string>();
  record.time = json.at("time").get<std::string>();
  for (const auto& [name, value] : json.items()) {
    if (name == "step" || name == "split" || name == "time") continue;
    if (value.is_null()) {
      record.values.emplace_back(name, std::numeric_limits<double>::quiet_NaN());
    } else if (value.is_number()) {
      record.values.emplace_back(name, value.get<double>());
    } else {
      throw std::runtime_error(fmt::format("{}: expected a number, got {}", name, value.dump()));
    }
  }
  return record;
}

// Calls visit(line with its newline, record) for each whole line; returns the bytes they take.
template <class Visit>
std::size_t each_line(const std::string& text, const std::filesystem::path& path, Visit visit) {
  std::size_t start = 0;
  for (int number = 1;; ++number) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) return start;
    const std::string_view line(text.data() + start, end - start);
    MetricRecord record;
    try {
      record = parse_record(line);
    } catch (const std::exception& error) {
      throw DataError(fmt::format(
          "{}:{}: expected a metric record like {{\"step\":1,\"split\":\"train\",\"time\":\"...\","
          "\"loss\":2.5}}, got \"{}\" ({}); delete the line to go on without it",
          path.string(), number, printable(line.substr(0, 80)), error.what()));
    }
    visit(std::string_view(text.data() + start, end + 1 - start), std::move(record));
    start = end + 1;
  }
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, std::int64_t from_step) : path_(path) {
  if (std::filesystem::exists(path)) {
    const std::string text = files::read_text(path);
    std::string kept;
    each_line(text, path, [&](std::string_view line, const MetricRecord& record) {
      if (record.step <= from_step) kept += line;
    });
    if (kept.size() != text.size()) files::write_atomic(path, kept);
  }
  descriptor_ = open_append(path);
}

MetricsLog::~MetricsLog() { close_append(descriptor_); }

void MetricsLog::append(const MetricRecord& record) {
  Json json;
  json["step"] = record.step;
  json["split"] = record.split;
  json["time"] = record.time.empty() ? utc_time() : record.time;
  for (const auto& [name, value] : record.values) {
    LONGCONV_CHECK(!json.contains(name), DataError,
                   "{}: metric \"{}\" is given twice in one record", path_.string(), name);
    if (std::isfinite(value)) {
      json[name] = value;
    } else {
      json[name] = nullptr;
    }
  }
  append_whole(descriptor_, json.dump() + "\n", path_);
}

void MetricsLog::sync() { sync_append(descriptor_, path_); }

std::vector<MetricRecord> read_metrics(const std::filesystem::path& path) {
  std::vector<MetricRecord> records;
  each_line(files::read_text(path), path, [&](std::string_view /*line*/, MetricRecord record) {
    records.push_back(std::move(record));
  });
  return records;
}

}  // namespace longconv::train
