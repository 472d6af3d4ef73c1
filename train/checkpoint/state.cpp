#include "train/checkpoint/state.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>

namespace longconv::train {
namespace {

using Json = nlohmann::json;

std::string to_hex(const std::string& bytes) {
  return files::hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::string from_hex(const std::string& text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    LONGCONV_CHECK(high >= 0 && low >= 0, CheckpointError, "no hexadecimal digits");
    out.push_back(static_cast<char>(high * 16 + low));
  }
  LONGCONV_CHECK(text.size() % 2 == 0, CheckpointError, "an odd number of hexadecimal digits");
  return out;
}

/// JSON has no infinity and no nan; null stands for "none yet".
Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double number_or(const Json& value, double otherwise) {
  return value.is_null() ? otherwise : value.get<double>();
}

/// True for keys that say where, on what and how talkatively a run runs, not what it computes.
bool may_differ(const std::string& path) {
  static const std::array<std::string, 14> kFree = {"data.path",
                                                    "data.tokenizer",
                                                    "data.workers",
                                                    "data.micro_batch",
                                                    "train.accumulate",
                                                    "train.log_every",
                                                    "train.eval_every",
                                                    "train.eval_batches",
                                                    "train.resume",
                                                    "train.checkpoint_every",
                                                    "train.checkpoint_minutes",
                                                    "train.keep_last",
                                                    "train.keep_best",
                                                    "schedule.max_steps"};
  if (path.rfind("data.stage[", 0) == 0 && path.find("].micro_batch") != std::string::npos) {
    return true;
  }
  return path.rfind("run.", 0) == 0 || std::find(kFree.begin(), kFree.end(), path) != kFree.end();
}

}  // namespace

ConfigValues config_values(const RunConfig& config) {
  ConfigValues out;
  for (const config::KeyBase* key : config::all_keys(config)) {
    out.emplace_back(key->path(), key->to_toml());
  }
  return out;
}

std::string to_json(const TrainState& state) {
  Json window = Json::array();
  for (const StepRecord& record : state.window) {
    window.push_back({record.step, record.loss, record.grad_norm});
  }
  Json config = Json::array();
  for (const auto& [path, value] : state.config) config.push_back({path, value});
  const Json out = {
      {"version", 1},
      {"step", state.step},
      {"trained_s", state.trained_s},
      {"schedule",
       {{"scale", state.plateau.scale},
        {"best", finite_or_null(state.plateau.best)},
        {"worse", state.plateau.worse}}},
      {"loader", {{"seed", state.loader_seed}, {"consumed", state.loader_consumed}}},
      {"rng", {{"cpu", to_hex(state.cpu_rng)}, {"device", to_hex(state.device_rng)}}},
      {"validation",
       {{"step", state.evaluated_step},
        {"loss", finite_or_null(state.validation_loss)},
        {"best_step", state.best_step},
        {"best_loss", finite_or_null(state.best_loss)}}},
      {"window", window},
      {"data_fingerprint", state.data_fingerprint},
      {"config", config},
  };
  return out.dump(1) + "\n";
}

TrainState from_json(const std::string& text, const std::string& path) {
  TrainState state;
  try {
    const Json in = Json::parse(text);
    LONGCONV_CHECK(in.at("version").get<int>() == 1, CheckpointError,
                   "version {}, but this program reads 1", in.at("version").get<int>());
    state.step = in.at("step").get<std::int64_t>();
    state.trained_s = in.at("trained_s").get<double>();
    const Json& schedule = in.at("schedule");
    state.plateau.scale = schedule.at("scale").get<double>();
    state.plateau.best = number_or(schedule.at("best"), state.plateau.best);
    state.plateau.worse = schedule.at("worse").get<std::int64_t>();
    state.loader_seed = in.at("loader").at("seed").get<std::uint64_t>();
    state.loader_consumed = in.at("loader").at("consumed").get<std::int64_t>();
    state.cpu_rng = from_hex(in.at("rng").at("cpu").get<std::string>());
    state.device_rng = from_hex(in.at("rng").at("device").get<std::string>());
    const Json& validation = in.at("validation");
    state.evaluated_step = validation.at("step").get<std::int64_t>();
    state.validation_loss = number_or(validation.at("loss"), state.validation_loss);
    state.best_step = validation.at("best_step").get<std::int64_t>();
    state.best_loss = number_or(validation.at("best_loss"), state.best_loss);
    for (const Json& record : in.at("window")) {
      state.window.push_back({record.at(0).get<std::int64_t>(), record.at(1).get<double>(),
                              record.at(2).get<double>()});
    }
    state.data_fingerprint = in.at("data_fingerprint").get<std::string>();
    for (const Json& entry : in.at("config")) {
      state.config.emplace_back(entry.at(0).get<std::string>(), entry.at(1).get<std::string>());
    }
  } catch (const Json::exception& e) {
    throw CheckpointError(
        fmt::format("{}: expected the state of a training run, but {}", path, e.what()));
  } catch (const CheckpointError& e) {
    throw CheckpointError(
        fmt::format("{}: expected the state of a training run, but {}", path, e.what()));
  }
  return state;
}

void require_same_run(const TrainState& state, const RunConfig& config,
                      const std::string& data_fingerprint,
                      const std::filesystem::path& checkpoint) {
  const ConfigValues now = config_values(config);
  const std::map<std::string, std::string> theirs(state.config.begin(), state.config.end());
  const std::map<std::string, std::string> ours(now.begin(), now.end());
  std::set<std::string> paths;
  for (const auto& [path, value] : theirs) paths.insert(path);
  for (const auto& [path, value] : ours) paths.insert(path);

  std::vector<std::string> differences;
  for (const std::string& path : paths) {
    const auto theirs_at = theirs.find(path);
    const auto ours_at = ours.find(path);
    const std::string was = theirs_at == theirs.end() ? "absent" : theirs_at->second;
    const std::string is = ours_at == ours.end() ? "absent" : ours_at->second;
    if (was == is) continue;
    if (path == "schedule.max_steps") {
      log::warn(
          "schedule.max_steps was {} and is now {}: from step {} on the learning rate follows "
          "the new schedule",
          was, is, state.step);
    }
    if (!may_differ(path))
      differences.push_back(fmt::format("{} is {} there and {} here", path, was, is));
  }
  if (state.data_fingerprint != data_fingerprint) {
    differences.push_back(fmt::format("the corpus is {:.12}... there and {:.12}... here",
                                      state.data_fingerprint, data_fingerprint));
  }
  LONGCONV_CHECK(
      differences.empty(), CheckpointError,
      "{}: cannot resume, this checkpoint is of another run: {}. Restore these values, or "
      "start afresh with another run.dir",
      checkpoint.string(), fmt::join(differences, "; "));
}

}  // namespace longconv::train
