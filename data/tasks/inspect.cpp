#include "data/tasks/inspect.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/formats/hdf5_series.h"
#include "data/formats/hdf5_tokens.h"
#include "data/formats/token_shard.h"
#include "data/tasks/corpus_manifest.h"
#include "data/tasks/inspect_genome.h"
#include "data/tasks/inspect_samples.h"
#include "data/tokenizers/tokenizer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::int64_t kSampleTokens = 48;

/// Reads ids [first, first + out.size()) of some stream.
using ReadIds = std::function<void(std::int64_t first, std::span<std::int64_t> out)>;

ordered_json samples_of(std::int64_t count, std::int64_t samples, const ReadIds& read,
                        const Tokenizer* tokenizer) {
  ordered_json out = ordered_json::array();
  const std::int64_t length = std::min(count, kSampleTokens);
  for (std::int64_t i = 0; i < samples && length > 0; ++i) {
    const std::int64_t first = i * (count - length) / std::max<std::int64_t>(samples - 1, 1);
    std::vector<std::int64_t> ids(static_cast<std::size_t>(length));
    read(first, ids);
    ordered_json sample = {{"first_token", first}};
    if (tokenizer != nullptr) {
      sample["text"] = tokenizer->decode({ids.begin(), ids.end()});
    } else {
      sample["ids"] = ids;
    }
    out.push_back(std::move(sample));
    if (count <= length) break;
  }
  return out;
}

ordered_json header_facts(const ShardHeader& header, std::size_t documents) {
  return {{"tokens", header.count},
          {"documents", documents},
          {"dtype", header.bytes_per_token == 2 ? "u16" : "u32"},
          {"vocab_size", header.vocab_size},
          {"eos_id", header.eos_id},
          {"tokenizer_fingerprint", files::hex(header.tokenizer)}};
}

/// The tokenizer of the corpus that a shard lies in, if it is there and the right one.
std::shared_ptr<const Tokenizer> neighbouring_tokenizer(const fs::path& shard,
                                                        const ShardHeader& header) {
  const fs::path folder = fs::absolute(shard).parent_path().parent_path() / "tokenizer";
  std::error_code error;
  if (!fs::is_directory(folder, error)) return nullptr;
  auto tokenizer = open_tokenizer(folder.string());
  return tokenizer->fingerprint() == header.tokenizer ? tokenizer : nullptr;
}

ordered_json inspect_shard(const fs::path& path, const InspectionOptions& options) {
  const TokenShard shard(path, options.verify);
  const auto documents = shard.document_starts().size();
  const auto tokenizer = neighbouring_tokenizer(path, shard.header());
  ordered_json out = {{"kind", "token shard"}, {"path", path.string()}};
  out.update(header_facts(shard.header(), documents));
  out["verified"] = options.verify;
  out["samples"] = samples_of(
      shard.size(), options.samples,
      [&](std::int64_t first, std::span<std::int64_t> ids) { shard.read(first, ids); },
      tokenizer.get());
  return out;
}

void verify_split(const fs::path& folder, const ManifestSplit& split) {
  for (const ManifestShard& entry : split.shards) {
    const fs::path path = folder / entry.file;
    const TokenShard shard(path, /*verify=*/true);
    const auto documents = static_cast<std::int64_t>(shard.document_starts().size());
    LONGCONV_CHECK(documents == entry.documents, DataError,
                   "{}: its index has {} documents, the manifest says {}", path.string(), documents,
                   entry.documents);
    const std::string sha256 = files::hex(files::sha256_file(path));
    LONGCONV_CHECK(sha256 == entry.sha256, DataError,
                   "{}: sha256 {}, the manifest says {}: the shard was changed after its manifest",
                   path.string(), sha256, entry.sha256);
  }
}

ordered_json inspect_corpus(const fs::path& folder, const InspectionOptions& options) {
  const Manifest manifest = read_manifest(folder);
  const auto tokenizer = open_tokenizer((folder / "tokenizer").string());
  LONGCONV_CHECK(files::hex(tokenizer->fingerprint()) == manifest.tokenizer_fingerprint, DataError,
                 "{}: its tokenizer folder holds {}, the manifest names {}", folder.string(),
                 files::hex(tokenizer->fingerprint()), manifest.tokenizer_fingerprint);
  if (options.verify) {
    verify_split(folder, manifest.train);
    verify_split(folder, manifest.validation);
  }
  ordered_json out = {{"kind", "corpus"}, {"path", folder.string()}};
  out.update(ordered_json::parse(manifest.to_json()));
  out["verified"] = options.verify;
  out["samples"] = ordered_json::array();
  for (const ManifestSplit* split : {&manifest.train, &manifest.validation}) {
    if (split->shards.empty()) continue;
    const TokenShard shard(folder / split->shards.front().file, /*verify=*/false);
    ordered_json samples = samples_of(
        shard.size(), options.samples,
        [&](std::int64_t first, std::span<std::int64_t> ids) { shard.read(first, ids); },
        tokenizer.get());
    for (ordered_json& sample : samples) {
      sample["shard"] = split->shards.front().file;
      out["samples"].push_back(std::move(sample));
    }
  }
  return out;
}

ordered_json inspect_hdf5_tokens(const fs::path& path, const InspectionOptions& options) {
  const Hdf5Tokens file(path);
  const ReadIds read = [&](std::int64_t first, std::span<std::int64_t> out) {
    std::vector<std::int32_t> ids(out.size());
    file.read(first, ids);
    std::copy(ids.begin(), ids.end(), out.begin());
  };
  if (options.verify) {
    constexpr std::int64_t kChunk = std::int64_t{1} << 20;
    std::vector<std::int64_t> chunk;
    for (std::int64_t first = 0; first < file.header().count; first += kChunk) {
      chunk.resize(static_cast<std::size_t>(std::min(kChunk, file.header().count - first)));
      read(first, chunk);  // throws for an id outside the vocabulary
    }
  }
  ordered_json out = {{"kind", "hdf5 tokens"}, {"path", path.string()}};
  out.update(header_facts(file.header(), file.document_starts().size()));
  out["verified"] = options.verify;
  out["samples"] = samples_of(file.header().count, options.samples, read, nullptr);
  return out;
}

ordered_json inspect_series(const fs::path& path) {
  const Series series = read_series(path);
  double sum = 0.0;
  double squares = 0.0;
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  std::int64_t finite = 0;
  for (const float value : series.values) {
    if (!std::isfinite(value)) continue;
    ++finite;
    sum += value;
    squares += static_cast<double>(value) * value;
    least = std::min<double>(least, value);
    most = std::max<double>(most, value);
  }
  const auto valid = std::count(series.mask.begin(), series.mask.end(), 1);
  ordered_json out = {{"kind", "hdf5 series"},
                      {"path", path.string()},
                      {"subjects", series.subjects},
                      {"length", series.length},
                      {"channels", series.channels},
                      {"valid_steps", valid},
                      {"labels", series.labels.size()},
                      {"not_finite", static_cast<std::int64_t>(series.values.size()) - finite}};
  if (finite > 0) {
    const double mean = sum / static_cast<double>(finite);
    const double variance = squares / static_cast<double>(finite) - mean * mean;
    out["mean"] = mean;
    out["deviation"] = std::sqrt(std::max(variance, 0.0));
    out["minimum"] = least;
    out["maximum"] = most;
  }
  return out;
}

}  // namespace

std::string inspect_data(const fs::path& path, const InspectionOptions& options) {
  std::error_code error;
  LONGCONV_CHECK(fs::exists(path, error), DataError, "{}: no such file or folder", path.string());
  const std::string extension = path.extension().string();
  ordered_json out;
  if (fs::is_directory(path, error)) {
    out = inspect_corpus(path, options);
  } else if (extension == ".lct") {
    out = inspect_shard(path, options);
  } else if (extension == ".lcs") {
    return inspect_samples(path, options.samples, options.verify);
  } else if (is_genome_file(path)) {
    return inspect_genome(path, options.samples, options.verify);
  } else if (is_bed_file(path)) {
    return inspect_bed(path, options.samples);
  } else if (extension == ".h5" || extension == ".hdf5") {
    out = is_series(path) ? inspect_series(path) : inspect_hdf5_tokens(path, options);
  } else {
    throw DataError(fmt::format(
        "{}: expected a corpus folder, a token shard (.lct), a sample shard (.lcs), an HDF5 "
        "container (.h5), a genome (.fa, .fna, .fasta, .2bit) or intervals (.bed)",
        path.string()));
  }
  // A sample may begin in the middle of a character.
  return out.dump(2, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

}  // namespace longconv::data
