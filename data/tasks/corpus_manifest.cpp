#include "data/tasks/corpus_manifest.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"

#include <nlohmann/json.hpp>

namespace longconv::data {

namespace {

using nlohmann::json;

constexpr char kFormat[] = "longconv corpus";
constexpr int kVersion = 1;

/// A file's name may be any bytes; JSON's strings are UTF-8.
std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

json sources_json(const std::vector<ManifestSource>& sources) {
  json out = json::array();
  for (const ManifestSource& source : sources) {
    out.push_back({{"name", source.name},
                   {"sha256", source.sha256},
                   {"bytes", source.bytes},
                   {"use", source.use}});
  }
  return out;
}

std::vector<ManifestSource> parse_sources(const json& value) {
  std::vector<ManifestSource> sources;
  for (const json& source : value) {
    sources.push_back({source.at("name").get<std::string>(), source.at("sha256").get<std::string>(),
                       source.at("bytes").get<std::int64_t>(),
                       source.at("use").get<std::string>()});
  }
  return sources;
}

/// What is as usual is not named, so that a corpus made before there was a choice keeps its
/// fingerprint.
json inputs_json(const Manifest& manifest) {
  json inputs = {{"tokenizer", manifest.tokenizer_option},
                 {"eos", manifest.eos},
                 {"sources", sources_json(manifest.sources)}};
  if (manifest.validation_share > 0) {
    inputs["validation_share"] = manifest.validation_share;
    inputs["split_seed"] = manifest.split_seed;
  }
  if (manifest.lines) inputs["lines"] = true;
  if (manifest.document_chars > 0) inputs["document_chars"] = manifest.document_chars;
  if (manifest.document_tokens > 0) inputs["document_tokens"] = manifest.document_tokens;
  return inputs;
}

json split_json(const ManifestSplit& split) {
  json shards = json::array();
  for (const ManifestShard& shard : split.shards) {
    shards.push_back({{"file", shard.file},
                      {"tokens", shard.tokens},
                      {"documents", shard.documents},
                      {"bytes", shard.bytes},
                      {"sha256", shard.sha256}});
  }
  return {{"tokens", split.tokens},
          {"bytes", split.bytes},
          {"documents", split.documents},
          {"shards", shards}};
}

ManifestSplit parse_split(const json& value) {
  ManifestSplit split;
  split.tokens = value.at("tokens").get<std::int64_t>();
  split.bytes = value.at("bytes").get<std::int64_t>();
  split.documents = value.at("documents").get<std::int64_t>();
  for (const json& shard : value.at("shards")) {
    split.shards.push_back(
        {shard.at("file").get<std::string>(), shard.at("tokens").get<std::int64_t>(),
         shard.at("documents").get<std::int64_t>(), shard.at("bytes").get<std::int64_t>(),
         shard.at("sha256").get<std::string>()});
  }
  return split;
}

Manifest parse(const json& value) {
  Manifest manifest;
  const json& inputs = value.at("inputs");
  manifest.tokenizer_option = inputs.at("tokenizer").get<std::string>();
  manifest.eos = inputs.at("eos").get<bool>();
  manifest.sources = parse_sources(inputs.at("sources"));
  manifest.validation_share = inputs.value("validation_share", 0.0);
  manifest.split_seed = inputs.value("split_seed", std::uint64_t{0});
  manifest.lines = inputs.value("lines", false);
  manifest.document_chars = inputs.value("document_chars", std::int64_t{0});
  manifest.document_tokens = inputs.value("document_tokens", std::int64_t{0});
  const json& tokenizer = value.at("tokenizer");
  manifest.tokenizer_description = tokenizer.at("description").get<std::string>();
  manifest.vocab_size = tokenizer.at("vocab_size").get<std::int64_t>();
  manifest.eos_id = tokenizer.at("eos_id").get<std::int64_t>();
  manifest.tokenizer_fingerprint = tokenizer.at("fingerprint").get<std::string>();
  manifest.train = parse_split(value.at("train"));
  manifest.validation = parse_split(value.at("validation"));
  manifest.empty_documents = value.value("empty_documents", std::int64_t{0});
  manifest.bad_lines = value.value("bad_lines", std::int64_t{0});
  if (value.contains("made")) manifest.seconds = value.at("made").at("seconds").get<double>();
  return manifest;
}

json all_but_made(const Manifest& manifest) {
  return {{"format", kFormat},
          {"version", kVersion},
          {"inputs", inputs_json(manifest)},
          {"inputs_fingerprint", manifest.inputs_fingerprint()},
          {"tokenizer",
           {{"description", manifest.tokenizer_description},
            {"vocab_size", manifest.vocab_size},
            {"eos_id", manifest.eos_id},
            {"fingerprint", manifest.tokenizer_fingerprint}}},
          {"train", split_json(manifest.train)},
          {"validation", split_json(manifest.validation)},
          {"empty_documents", manifest.empty_documents},
          {"bad_lines", manifest.bad_lines}};
}

}  // namespace

std::string Manifest::inputs_fingerprint() const {
  return files::hex(files::sha256(dump(inputs_json(*this), -1)));
}

std::string Manifest::fingerprint() const {
  return files::hex(files::sha256(dump(all_but_made(*this), -1)));
}

std::string Manifest::to_json() const {
  std::int64_t source_bytes = 0;
  for (const ManifestSource& source : sources) source_bytes += source.bytes;
  const auto text_bytes = static_cast<double>(train.bytes + validation.bytes);
  json value = all_but_made(*this);
  value["made"] = {{"seconds", seconds},
                   {"source_bytes", source_bytes},
                   {"text_mb_per_s", seconds > 0 ? text_bytes / seconds / 1e6 : 0.0}};
  return dump(value, 2) + "\n";
}

std::string to_json(const UnitRecord& unit) {
  const json value = {{"sources", sources_json(unit.sources)},
                      {"modified_ns", unit.modified_ns},
                      {"train", split_json(unit.train)},
                      {"validation", split_json(unit.validation)},
                      {"empty_documents", unit.empty_documents},
                      {"bad_lines", unit.bad_lines},
                      {"seconds", unit.seconds}};
  return dump(value, 1) + "\n";
}

UnitRecord parse_unit(const std::string& text, const std::string& where) {
  try {
    const json value = json::parse(text);
    UnitRecord unit;
    unit.sources = parse_sources(value.at("sources"));
    unit.modified_ns = value.at("modified_ns").get<std::vector<std::int64_t>>();
    unit.train = parse_split(value.at("train"));
    unit.validation = parse_split(value.at("validation"));
    unit.empty_documents = value.at("empty_documents").get<std::int64_t>();
    unit.bad_lines = value.at("bad_lines").get<std::int64_t>();
    unit.seconds = value.at("seconds").get<double>();
    LONGCONV_CHECK(unit.modified_ns.size() == unit.sources.size(), DataError,
                   "{}: {} sources with {} times", where, unit.sources.size(),
                   unit.modified_ns.size());
    return unit;
  } catch (const json::exception& problem) {
    throw DataError(fmt::format("{}: malformed record of a unit: {}", where, problem.what()));
  }
}

bool has_manifest(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::is_regular_file(folder / kManifestFile, error);
}

Manifest read_manifest(const std::filesystem::path& folder) {
  std::error_code error;
  LONGCONV_CHECK(std::filesystem::is_directory(folder, error), DataError,
                 "{}: no such folder; `longconv data prepare --out {}` makes a corpus",
                 folder.string(), folder.string());
  LONGCONV_CHECK(has_manifest(folder), DataError,
                 "{}: not a corpus: no {} in this folder; `longconv data prepare` writes it last",
                 folder.string(), kManifestFile);
  const auto path = folder / kManifestFile;
  try {
    const json value = json::parse(files::read_text(path));
    const auto format = value.at("format").get<std::string>();
    const auto version = value.at("version").get<int>();
    LONGCONV_CHECK(format == kFormat && version == kVersion, DataError,
                   "{}: \"{}\" version {}, this program reads \"{}\" version {}", path.string(),
                   format, version, kFormat, kVersion);
    Manifest manifest = parse(value);
    LONGCONV_CHECK(
        value.at("inputs_fingerprint").get<std::string>() == manifest.inputs_fingerprint(),
        DataError, "{}: inputs and inputs_fingerprint do not match: it has been edited",
        path.string());
    return manifest;
  } catch (const json::exception& problem) {
    throw DataError(fmt::format("{}: malformed manifest: {}", path.string(), problem.what()));
  }
}

}  // namespace longconv::data
