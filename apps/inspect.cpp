// longconv inspect: looks at the path, decides what it is, shows it. Each show_... function builds
// one JSON object; the text output is a rendering of the same object.
#include "apps/commands.h"
#include "apps/model_place.h"
#include "apps/print_facts.h"
#include "apps/tensor_report.h"
#include "core/base/check.h"
#include "core/files/hash.h"
#include "core/files/npy.h"
#include "core/files/safetensors.h"
#include "data/tasks/inspect_genome.h"
#include "models/cost/cost.h"
#include "models/weights/source.h"
#include "train/checkpoint/folder.h"
#include "train/report/metrics.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json describe(const files::TensorView& tensor) {
  const TensorStatistics s = statistics(tensor);
  return {{"name", tensor.name},
          {"dtype", std::string(name(tensor.dtype))},
          {"shape", tensor.shape},
          {"elements", s.elements},
          {"mean", s.mean},
          {"deviation", s.deviation},
          {"minimum", s.minimum},
          {"maximum", s.maximum},
          {"zeros", s.zeros},
          {"nans", s.nans},
          {"infinities", s.infinities}};
}

ordered_json describe_safetensors(const fs::path& path) {
  const files::SafetensorsFile file(path);
  ordered_json tensors = ordered_json::array();
  std::int64_t elements = 0;
  std::int64_t bad = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    tensors.push_back(describe(tensor));
    elements += tensors.back()["elements"].get<std::int64_t>();
    bad += tensors.back()["nans"].get<std::int64_t>() +
           tensors.back()["infinities"].get<std::int64_t>();
  }
  return {{"kind", "safetensors"},
          {"path", path.string()},
          {"bytes", fs::file_size(path)},
          {"elements", elements},
          {"not_finite", bad},
          {"sha256", files::hex(files::sha256_file(path))},
          {"metadata", file.metadata()},
          {"tensors", tensors}};
}

/// Weights that others wrote: a file, or a folder of them.
ordered_json describe_source(const fs::path& path) {
  const models::Source source = models::open_source(path);
  ordered_json out{{"kind", "weights"}, {"path", source.file.string()}, {"layout", source.layout}};
  std::int64_t elements = 0;
  std::int64_t bad = 0;
  ordered_json tensors = ordered_json::array();
  for (const auto& item : source.tensors) {
    tensors.push_back(describe(item.second));
    elements += tensors.back()["elements"].get<std::int64_t>();
    bad += tensors.back()["nans"].get<std::int64_t>() +
           tensors.back()["infinities"].get<std::int64_t>();
  }
  out["elements"] = elements;
  out["not_finite"] = bad;
  ordered_json checksums = ordered_json::object();
  for (const fs::path& file : source.files) {
    checksums[file.filename().string()] = files::hex(files::sha256_file(file));
  }
  out["sha256"] = checksums;
  if (!source.config.empty()) out["config"] = source.config;
  if (!source.unreadable.empty()) out["no_tensors"] = source.unreadable;
  if (!source.ignored.empty()) out["ignored"] = source.ignored;
  out["tensors"] = tensors;
  return out;
}

ordered_json describe_npy(const fs::path& path) {
  const files::MappedFile file(path);
  ordered_json tensor = describe(files::parse_npy(file.bytes(), path.string()));
  tensor["name"] = path.filename().string();
  return {{"kind", "npy"}, {"path", path.string()}, {"tensors", ordered_json::array({tensor})}};
}

ordered_json describe_model(const train::RunConfig& config) {
  const models::ModelConfig& model = config.model;
  const models::Cost cost = models::cost(model);
  ordered_json terms = ordered_json::object();
  for (const models::CostTerm& term : cost.terms) terms[term.name] = term.flops;
  return {{"family", model.family()},
          {"parameters", cost.parameters},
          {"d_model", model.d_model()},
          {"n_layers", model.n_layers()},
          {"order", model.order()},
          {"l_max", model.l_max()},
          {"vocab_size", model.vocab_size()},
          {"forward_flops_per_token", cost.forward_flops_per_token()},
          {"training_flops_per_token", cost.training_flops_per_token()},
          {"filter_flops_per_pass", cost.filter_flops_per_pass},
          {"flops_per_token", terms}};
}

ordered_json describe_config(const fs::path& path) {
  train::RunConfig config;
  config::load(config, path.string());
  fill_shapes(config);
  ordered_json out{{"kind", "config"}, {"path", path.string()}};
  out["model"] = describe_model(config);
  const std::int64_t tokens = config.data.batch_size() * config.data.seq_len();
  out["tokens_per_step"] = tokens;
  out["steps"] = config.schedule.max_steps();
  out["training_flops"] = static_cast<double>(tokens * config.schedule.max_steps()) *
                          out["model"]["training_flops_per_token"].get<double>();
  return out;
}

/// Checkpoint or model folder.
ordered_json describe_weights(const fs::path& folder) {
  const ModelPlace place = find_model(folder);
  const auto config = load_config(place, {});
  fill_shapes(*config);
  ordered_json out{{"kind", place.run.empty() ? "model" : "checkpoint"},
                   {"path", place.folder.string()}};
  out["model"] = describe_model(*config);
  out["weights"] = describe_safetensors(place.weights);
  return out;
}

ordered_json describe_run(const fs::path& folder) {
  ordered_json out{{"kind", "run"}, {"path", folder.string()}};
  train::RunConfig config;
  config::load(config, (folder / "config.toml").string());
  fill_shapes(config);
  out["model"] = describe_model(config);
  const fs::path checkpoints = folder / "checkpoints";
  ordered_json list = ordered_json::array();
  for (const std::int64_t step : train::list_steps(checkpoints)) {
    const std::string damage = train::find_damage(checkpoints / train::step_name(step));
    list.push_back({{"step", step}, {"whole", damage.empty()}, {"damage", damage}});
  }
  out["checkpoints"] = list;
  for (const char* link : {"latest", "best"}) {
    std::error_code missing;
    const fs::path target = fs::read_symlink(checkpoints / link, missing);
    if (!missing) out[link] = target.string();
  }
  ordered_json last = ordered_json::object();  // the last record of each split
  if (fs::exists(folder / "metrics.jsonl")) {
    for (const train::MetricRecord& record : train::read_metrics(folder / "metrics.jsonl")) {
      ordered_json values{{"step", record.step}};
      for (const auto& [key, value] : record.values) values[key] = value;
      last[record.split] = values;
    }
  }
  out["metrics"] = last;
  return out;
}

}  // namespace

ExitCode inspect(const InspectOptions& options) {
  const fs::path path = options.path;
  LONGCONV_CHECK(fs::exists(path), DataError, "{}: no such file or folder", options.path);
  const std::string extension = path.extension().string();
  const bool corpus = fs::is_directory(path) && fs::exists(path / "manifest.json");
  if (corpus || extension == ".lct" || extension == ".lcs" || extension == ".h5" ||
      data::is_genome_file(path) || data::is_bed_file(path)) {
    return data_inspect(
        {.path = options.path, .samples = 3, .verify = false, .json = options.json});
  }
  ordered_json result;
  if (fs::is_directory(path)) {
    const bool run = fs::exists(path / "config.toml") &&
                     (fs::exists(path / "checkpoints") || fs::exists(path / "metrics.jsonl"));
    const bool ours = fs::exists(path / "config.toml") || fs::exists(path / "checkpoints") ||
                      fs::exists(path / train::kStateFile);
    const bool foreign = !ours && models::holds_weights(path);
    result = run ? describe_run(path) : foreign ? describe_source(path) : describe_weights(path);
  } else if (extension == ".safetensors") {
    result = describe_safetensors(path);
  } else if (models::is_weights_file(path)) {
    result = describe_source(path);
  } else if (extension == ".npy") {
    result = describe_npy(path);
  } else if (extension == ".toml") {
    result = describe_config(path);
  } else {
    throw DataError(
        fmt::format("{}: expected a .toml, .safetensors, .npy, .lct, .lcs or .h5 file, weights of "
                    "torch.save, a genome (.fa, .2bit), a .bed file or the folder of a run, "
                    "checkpoint, model or corpus, got a file \"{}\"",
                    options.path, path.filename().string()));
  }
  print_result(result.dump(2, ' ', false, ordered_json::error_handler_t::replace), options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
