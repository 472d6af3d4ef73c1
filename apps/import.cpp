// longconv import: published weights to a model folder; longconv export: the way back.
#include "models/weights/import.h"

#include "apps/commands.h"
#include "apps/model_place.h"
#include "apps/new_folder.h"
#include "apps/print_facts.h"
#include "core/base/log.h"
#include "data/tokenizers/tokenizer.h"
#include "models/weights/export.h"

#include <nlohmann/json.hpp>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

/// The tokenizer the published model was trained with. Returns what to say about it.
std::string save_tokenizer(const std::string& name, const std::filesystem::path& folder) {
  if (name.empty()) return "none known; name one with data.tokenizer=PATH";
  try {
    // The published models' rule for DNA: lower case is [UNK] (data.md 7.1).
    const auto tokenizer = data::open_tokenizer(name, {.upper_case = false});
    tokenizer->save(folder);
    return tokenizer->describe();
  } catch (const EnvironmentError& error) {  // its vocabulary is not on this machine
    log::warn("{}", error.what());
    return name + ", not on this machine; name it with data.tokenizer=PATH";
  }
}

}  // namespace

ExitCode import_model(const ImportOptions& options) {
  NewFolder folder(options.out);
  const models::ImportReport report = models::import_weights(
      {.source = options.source, .overrides = options.overrides, .allow = options.allow},
      folder.path());
  const std::string tokenizer = save_tokenizer(report.tokenizer, folder.path() / "tokenizer");
  folder.commit();
  for (const std::string& tensor : report.not_finite) {
    log::warn("{}: tensor {} that are NaN or infinite", report.file, tensor);
  }
  ordered_json result{{"model", folder.out().string()},  {"source", report.file},
                      {"layout", report.layout},         {"checksums", report.checksums},
                      {"family", report.family},         {"published", report.published},
                      {"parameters", report.parameters}, {"tokenizer", tokenizer}};
  const auto list = [&](const char* key, const std::vector<std::string>& lines) {
    if (!lines.empty() || options.json) result[key] = lines;
  };
  list("defaulted", report.defaulted);
  list("inferred", report.inferred);
  list("repaired", report.repaired);
  list("converted", report.converted);
  list("dropped", report.dropped);
  list("initialised", report.initialised);
  list("not_finite", report.not_finite);
  list("ignored", report.ignored);
  print_result(result.dump(2, ' ', false, ordered_json::error_handler_t::replace), options.json);
  return ExitCode::ok;
}

ExitCode export_model(const ExportOptions& options) {
  const ModelPlace place = find_model(options.model);
  const auto config = load_config(place, {});
  fill_shapes(*config);
  NewFolder folder(options.out);
  models::export_weights(config->model, place.weights, options.format, folder.path());
  folder.commit();
  const ordered_json result{
      {"model", place.folder.string()}, {"format", options.format}, {"out", folder.out().string()}};
  print_result(result.dump(2, ' ', false, ordered_json::error_handler_t::replace), options.json);
  return ExitCode::ok;
}

}  // namespace longconv::apps
