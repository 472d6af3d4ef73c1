#include "train/report/results.h"

#include "core/files/atomic_file.h"
#include "train/report/markup.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace longconv::train {
namespace {

using Json = nlohmann::ordered_json;

// The one list of keys: called with a writer and with a reader.
template <class Result, class Field>
void each_common_field(Result& result, Field field) {
  field("task", result.task);
  field("model", result.model);
  field("checkpoint", result.checkpoint);
  field("checkpoint_sha256", result.checkpoint_sha256);
  field("step", result.step);
  field("data", result.data);
  field("data_fingerprint", result.data_fingerprint);
  field("split", result.split);
  field("loss", result.loss);
}

/// AccuracyResult, const or not.
template <class Result, class Field>
void each_label_field(Result& result, Field field) {
  each_common_field(result, field);
  field("samples", result.samples);
  field("accuracy", result.accuracy);
  field("precision", result.precision);
  field("time", result.time);
}

/// GlueResult, const or not.
template <class Result, class Field>
void each_glue_field(Result& result, Field field) {
  each_common_field(result, field);
  field("glue_task", result.glue_task);
  field("precision", result.precision);
  field("time", result.time);
}

template <class Part, class Field>
void each_part_field(Part& part, Field field) {
  field("part", part.part);
  field("samples", part.samples);
  field("loss", part.loss);
}

template <class Result, class Field>
void each_field(Result& result, Field field) {
  each_common_field(result, field);
  field("perplexity", result.perplexity);
  field("bits_per_byte", result.bits_per_byte);
  field("tokens", result.tokens);
  field("bytes", result.bytes);
  field("seq_len", result.seq_len);
  field("overlap", result.overlap);
  field("precision", result.precision);
  field("time", result.time);
}

template <class Ngram, class Field>
void each_ngram_field(Ngram& ngram, Field field) {
  field("unit", ngram.unit);
  field("order", ngram.order);
  field("bits_per_byte", ngram.bits_per_byte);
  field("bits_per_unit", ngram.bits_per_unit);
}

auto writer(Json& json) {
  return [&json](const char* key, const auto& value) { json[key] = value; };
}

template <class T>
void read(const Json& json, const std::string& place, T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) throw DataError(place + ": expected a string, got " + json.dump());
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer())
      throw DataError(place + ": expected an integer, got " + json.dump());
  } else {
    if (json.is_null()) {  // JSON has no infinity: an overflowed perplexity
      value = std::numeric_limits<T>::infinity();
      return;
    }
    if (!json.is_number()) throw DataError(place + ": expected a number, got " + json.dump());
  }
  value = json.get<T>();
}

auto reader(const Json& json, const std::string& place) {
  return [&json, place](const char* key, auto& value) {
    if (!json.is_object() || !json.contains(key)) {
      throw DataError(
          fmt::format("{}: no key \"{}\"; expected a result of `longconv eval`, "
                      "run it again",
                      place, key));
    }
    read(json.at(key), place + ": " + key, value);
  };
}

std::string text_of(Json json, const std::string& time, const std::string& config) {
  if (time.empty()) json["time"] = utc_time();
  json["config"] = config;
  // A path need not be UTF-8; it must not keep the result from being written.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  if (path.has_parent_path()) files::create_folders(path.parent_path());
  files::write_atomic(path, text);
}

Json parse(const std::filesystem::path& path) {
  try {
    return Json::parse(files::read_text(path));
  } catch (const Json::exception& error) {
    throw DataError(
        fmt::format("{}: expected a JSON object, got something else ({}); run "
                    "`longconv eval` again",
                    path.string(), error.what()));
  }
}

const Json& list_of(const Json& json, const char* key, const std::string& path) {
  if (!json.contains(key) || !json[key].is_array()) {
    throw DataError(fmt::format("{}: {}: expected a list, run `longconv eval` again", path, key));
  }
  return json[key];
}

EvaluationResult tokens_of(const Json& json, const std::string& path) {
  EvaluationResult result;
  const auto field = reader(json, path);
  each_field(result, field);
  field("config", result.config);
  for (const Json& row : list_of(json, "ngrams", path)) {
    NgramResult ngram;
    each_ngram_field(ngram, reader(row, path + ": ngrams"));
    result.ngrams.push_back(std::move(ngram));
  }
  return result;
}

AccuracyResult labels_of(const Json& json, const std::string& path) {
  AccuracyResult result;
  const auto field = reader(json, path);
  each_label_field(result, field);
  field("config", result.config);
  for (const Json& row : list_of(json, "baselines", path)) {
    LabelBaseline baseline;
    const auto of_row = reader(row, path + ": baselines");
    of_row("name", baseline.name);
    of_row("accuracy", baseline.accuracy);
    result.baselines.push_back(std::move(baseline));
  }
  return result;
}

GlueResult glue_of(const Json& json, const std::string& path) {
  GlueResult result;
  const auto field = reader(json, path);
  each_glue_field(result, field);
  field("config", result.config);
  for (const Json& row : list_of(json, "parts", path)) {
    const std::string place = path + ": parts";
    GluePartScores part;
    each_part_field(part, reader(row, place));
    if (!row.contains("scores") || !row["scores"].is_object()) {
      throw DataError(fmt::format("{}: scores: expected an object", place));
    }
    for (const auto& [name, value] : row["scores"].items()) {
      read(value, place + ": " + name, part.scores.emplace_back(name, 0.0).second);
    }
    result.parts.push_back(std::move(part));
  }
  return result;
}

}  // namespace

std::string to_json(const EvaluationResult& result) {
  Json json;
  each_field(result, writer(json));
  json["ngrams"] = Json::array();
  for (const NgramResult& ngram : result.ngrams) {
    Json row;
    each_ngram_field(ngram, writer(row));
    json["ngrams"].push_back(std::move(row));
  }
  return text_of(std::move(json), result.time, result.config);
}

std::string to_json(const AccuracyResult& result) {
  Json json;
  each_label_field(result, writer(json));
  json["baselines"] = Json::array();
  for (const LabelBaseline& baseline : result.baselines) {
    json["baselines"].push_back({{"name", baseline.name}, {"accuracy", baseline.accuracy}});
  }
  return text_of(std::move(json), result.time, result.config);
}

std::string to_json(const GlueResult& result) {
  Json json;
  each_glue_field(result, writer(json));
  json["parts"] = Json::array();
  for (const GluePartScores& part : result.parts) {
    Json row;
    each_part_field(part, writer(row));
    row["scores"] = Json::object();
    for (const auto& [name, value] : part.scores) row["scores"][name] = value;
    json["parts"].push_back(std::move(row));
  }
  return text_of(std::move(json), result.time, result.config);
}

void write_result(const std::filesystem::path& path, const EvaluationResult& result) {
  write_text(path, to_json(result));
}

void write_result(const std::filesystem::path& path, const AccuracyResult& result) {
  write_text(path, to_json(result));
}

void write_result(const std::filesystem::path& path, const GlueResult& result) {
  write_text(path, to_json(result));
}

EvaluationResult read_result(const std::filesystem::path& path) {
  return tokens_of(parse(path), path.string());
}

AnyResult read_any_result(const std::filesystem::path& path) {
  const Json json = parse(path);
  if (json.is_object() && json.value("task", Json()) == "accuracy") {
    return labels_of(json, path.string());
  }
  if (json.is_object() && json.value("task", Json()) == "glue") return glue_of(json, path.string());
  return tokens_of(json, path.string());
}

const NgramResult* best_ngram(const std::vector<NgramResult>& ngrams) {
  const auto best = std::min_element(
      ngrams.begin(), ngrams.end(),
      [](const NgramResult& a, const NgramResult& b) { return a.bits_per_byte < b.bits_per_byte; });
  return best == ngrams.end() ? nullptr : &*best;
}

}  // namespace longconv::train
