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

json inputs_json(const Manifest& manifest) {
  json sources = json::array();
  for (const ManifestSource& source : manifest.sources) {
    sources.push_back({{"name", source.name},
                       {"sha256", source.sha256},
                       {"bytes", source.bytes},
                       {"use", source.use}});
  }
  return {{"tokenizer", manifest.tokenizer_option}, {"eos", manifest.eos}, {"sources", sources}};
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
  for (const json& source : inputs.at("sources")) {
    manifest.sources.push_back(
        {source.at("name").get<std::string>(), source.at("sha256").get<std::string>(),
         source.at("bytes").get<std::int64_t>(), source.at("use").get<std::string>()});
  }
  const json& tokenizer = value.at("tokenizer");
  manifest.tokenizer_description = tokenizer.at("description").get<std::string>();
  manifest.vocab_size = tokenizer.at("vocab_size").get<std::int64_t>();
  manifest.eos_id = tokenizer.at("eos_id").get<std::int64_t>();
  manifest.tokenizer_fingerprint = tokenizer.at("fingerprint").get<std::string>();
  manifest.train = parse_split(value.at("train"));
  manifest.validation = parse_split(value.at("validation"));
  return manifest;
}

}  // namespace

std::string Manifest::inputs_fingerprint() const {
  return files::hex(files::sha256(dump(inputs_json(*this), -1)));
}

std::string Manifest::to_json() const {
  const json value = {{"format", kFormat},
                      {"version", kVersion},
                      {"inputs", inputs_json(*this)},
                      {"inputs_fingerprint", inputs_fingerprint()},
                      {"tokenizer",
                       {{"description", tokenizer_description},
                        {"vocab_size", vocab_size},
                        {"eos_id", eos_id},
                        {"fingerprint", tokenizer_fingerprint}}},
                      {"train", split_json(train)},
                      {"validation", split_json(validation)}};
  return dump(value, 2) + "\n";
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
