#include "data/tasks/prepare.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "data/tasks/corpus_sources.h"
#include "data/tasks/corpus_training_text.h"
#include "data/tasks/corpus_unit.h"
#include "data/tasks/corpus_work.h"
#include "data/tasks/temporary_folder.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTokenizerTextBytes = std::int64_t{1} << 30;

/// "unigram:2000"; nothing for names and paths.
std::optional<SentencePieceOptions> parse_training(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string model = text.substr(0, colon);
  if (model != "unigram" && model != "bpe" && model != "char") return std::nullopt;
  std::int64_t vocab_size = 0;
  const char* end = text.data() + text.size();
  const char* begin = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [stop, error] = std::from_chars(begin, end, vocab_size);
  LONGCONV_CHECK(error == std::errc() && stop == end && vocab_size > 0, UsageError,
                 "--tokenizer {}: expected {}:N with N ids, e.g. {}:2000", text, model, model);
  return SentencePieceOptions{model, vocab_size};
}

void check_options(const PrepareOptions& options, bool trains) {
  LONGCONV_CHECK(!options.out.empty(), UsageError, "data prepare: --out FOLDER is missing");
  LONGCONV_CHECK(options.part >= 1 && options.part <= options.parts, UsageError,
                 "--part {}/{}: expected I/N with I from 1 to N", options.part, options.parts);
  LONGCONV_CHECK(options.parts == 1 || !trains, UsageError,
                 "--part with --tokenizer {}: parts cannot train a tokenizer each; train it first "
                 "with `longconv data tokenizer train` and give its folder",
                 options.tokenizer);
  LONGCONV_CHECK(options.parts == 1 || std::find(options.sources.begin(), options.sources.end(),
                                                 "-") == options.sources.end(),
                 UsageError, "--part: standard input cannot be shared; write it to a file first");
  LONGCONV_CHECK(options.validation_share >= 0 && options.validation_share < 1, UsageError,
                 "--validation-share {}: expected 0 to 1, 1 not included",
                 options.validation_share);
  LONGCONV_CHECK(options.max_bad >= 0 && options.max_bad <= 1, UsageError,
                 "--max-bad {}: expected a share from 0 to 1", options.max_bad);
}

/// Neighbours share a unit until it has `unit_bytes`: [begin, end) of the sources. Depends on sizes
/// alone, so that every process finds the same.
std::vector<std::pair<std::size_t, std::size_t>> find_units(
    const std::vector<CorpusSource>& sources, std::int64_t unit_bytes) {
  std::vector<std::pair<std::size_t, std::size_t>> units;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (units.empty() || bytes + sources[i].bytes > unit_bytes) {
      units.emplace_back(i, i);
      bytes = 0;
    }
    units.back().second = i + 1;
    bytes += sources[i].bytes;
  }
  return units;
}

/// All that decides what a unit's shards hold, but for the sources' content.
std::string plan_json(const Manifest& manifest, const std::vector<CorpusSource>& sources,
                      const PrepareOptions& options) {
  files::Sha256 list;
  for (const CorpusSource& source : sources) {
    list.update(nlohmann::json({source.name, source.bytes, source.cut, source.format})
                    .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  const nlohmann::ordered_json plan = {{"tokenizer", manifest.tokenizer_option},
                                       {"eos", options.eos},
                                       {"validation_share", options.validation_share},
                                       {"split_seed", options.split_seed},
                                       {"lines", options.lines},
                                       {"document_chars", options.document_chars},
                                       {"document_tokens", options.document_tokens},
                                       {"shard_tokens", options.shard_tokens},
                                       {"unit_bytes", options.unit_bytes},
                                       {"sources", sources.size()},
                                       {"sources_sha256", files::hex(list.finish())}};
  return plan.dump(1) + "\n";
}

/// Complains if `folder` is not the finished corpus of `wanted`'s inputs, else returns its
/// manifest.
Manifest reuse(const fs::path& folder, Manifest wanted, const std::vector<CorpusSource>& sources) {
  constexpr char kNext[] = "choose another --out, or remove this folder";
  LONGCONV_CHECK(has_manifest(folder), DataError, "{}: exists and is no corpus (it has no {}); {}",
                 folder.string(), kManifestFile, kNext);
  Manifest there = read_manifest(folder);
  for (const CorpusSource& source : sources) {
    wanted.sources.push_back(source.entry(files::hex(files::sha256_file(source.path))));
  }
  LONGCONV_CHECK(there.inputs_fingerprint() == wanted.inputs_fingerprint(), DataError,
                 "{}: holds a corpus made from other sources or with other options; {}",
                 folder.string(), kNext);
  for (const ManifestSplit* split : {&there.train, &there.validation}) {
    for (const ManifestShard& shard : split->shards) {
      std::error_code error;
      const auto bytes = fs::file_size(folder / shard.file, error);
      LONGCONV_CHECK(!error && static_cast<std::int64_t>(bytes) == shard.bytes, DataError,
                     "{}: shard {} is missing or has been changed; {}", folder.string(), shard.file,
                     kNext);
    }
  }
  return there;
}

/// The tokenizer in the work's corpus folder, trained or saved there if it is not yet.
std::shared_ptr<const Tokenizer> place_tokenizer(
    std::shared_ptr<const Tokenizer> tokenizer, const std::optional<SentencePieceOptions>& training,
    const std::vector<CorpusSource>& sources, const DocumentRules& rules, const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return open_tokenizer(folder.string());
  if (training) {
    log::info("training a {} tokenizer of {} ids on the training text", training->model,
              training->vocab_size);
    tokenizer = train_sentencepiece(*training, training_text(sources, rules, kTokenizerTextBytes));
  }
  const TemporaryFolder temporary(folder);
  tokenizer->save(temporary.path());
  files::sync_folder(temporary.path());
  fs::rename(temporary.path(), folder, error);
  LONGCONV_CHECK(!error || fs::is_directory(folder), EnvironmentError, "{}: cannot be made: {}",
                 folder.string(), error.message());
  return tokenizer;
}

void add_split(ManifestSplit& all, const ManifestSplit& more) {
  all.tokens += more.tokens;
  all.bytes += more.bytes;
  all.documents += more.documents;
  all.shards.insert(all.shards.end(), more.shards.begin(), more.shards.end());
}

void add_unit(Manifest& manifest, const UnitRecord& unit) {
  manifest.sources.insert(manifest.sources.end(), unit.sources.begin(), unit.sources.end());
  add_split(manifest.train, unit.train);
  add_split(manifest.validation, unit.validation);
  manifest.empty_documents += unit.empty_documents;
  manifest.bad_lines += unit.bad_lines;
  manifest.seconds += unit.seconds;
}

void log_unit(std::int64_t unit, std::int64_t units, const UnitRecord& record) {
  if (units == 1) return;
  const auto megabytes = static_cast<double>(record.train.bytes + record.validation.bytes) / 1e6;
  log::info("unit {} of {} ({}{}): {:.1f} MB of text, {:.1f} MB/s", unit + 1, units,
            record.sources.front().name, record.sources.size() > 1 ? ", ..." : "", megabytes,
            megabytes / std::max(record.seconds, 1e-9));
}

void check_text(const Manifest& manifest, bool wants_training, const fs::path& out) {
  LONGCONV_CHECK(manifest.train.tokens > 0 || !wants_training, DataError,
                 "{}: no training text: every source is empty or for validation only",
                 out.string());
  LONGCONV_CHECK(manifest.train.tokens > 0 || manifest.validation.tokens > 0, DataError,
                 "{}: no text: every source is empty", out.string());
  if (manifest.validation.tokens == 0) {
    log::warn("no validation text: name some with --validation, --holdout or --validation-share");
  }
  if (manifest.bad_lines > 0) {
    log::warn("{} bad lines are left out: {} names them", manifest.bad_lines, kBadLinesFile);
  }
}

}  // namespace

PrepareResult prepare_corpus(const PrepareOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const std::optional<SentencePieceOptions> training = parse_training(options.tokenizer);
  check_options(options, training.has_value());
  // Absolute and without a trailing slash, so that it has a name and a parent.
  fs::path out = fs::absolute(options.out).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!training) {
    TokenizerOptions how;
    how.special_text = !options.plain_specials;
    tokenizer = open_tokenizer(options.tokenizer, how);
  }
  LONGCONV_CHECK(!options.eos || training || tokenizer->eos_id() >= 0, DataError,
                 "--tokenizer {}: it has no EOS id to put after each document; use --no-eos",
                 options.tokenizer);

  files::create_folders(out.parent_path());
  const TemporaryFolder temporary(out);
  const std::vector<CorpusSource> sources = find_sources(
      options.sources, options.validation, options.holdout, temporary.path() / "stdin");

  Manifest manifest;
  manifest.eos = options.eos;
  manifest.tokenizer_option =
      training || options.tokenizer == "bytes"
          ? options.tokenizer
          : fmt::format("{} {}", tokenizer->describe(), files::hex(tokenizer->fingerprint()));
  manifest.validation_share = options.validation_share;
  manifest.split_seed = static_cast<std::uint64_t>(options.split_seed);
  manifest.lines = options.lines;
  manifest.document_chars = options.document_chars;
  manifest.document_tokens = options.document_tokens;

  PrepareResult result;
  std::error_code error;
  if (fs::exists(out, error) && !(fs::is_directory(out, error) && fs::is_empty(out, error))) {
    result.manifest = reuse(out, manifest, sources);
    CorpusWork::remove_completed(out);
    result.reused = true;
    result.seconds = seconds();
    return result;
  }

  EncodeOptions encode;
  encode.rules = {options.lines, options.validation_share, manifest.split_seed,
                  options.document_chars};
  encode.eos = options.eos;
  encode.document_tokens = options.document_tokens;
  encode.max_bad = options.max_bad;
  encode.shard_tokens = options.shard_tokens;
  encode.threads = options.threads > 0
                       ? options.threads
                       : std::max<std::int64_t>(1, std::thread::hardware_concurrency());

  CorpusWork work(out, plan_json(manifest, sources, options), options.part, options.parts);
  tokenizer =
      place_tokenizer(tokenizer, training, sources, encode.rules, work.corpus() / "tokenizer");
  manifest.tokenizer_description = tokenizer->describe();
  manifest.vocab_size = tokenizer->vocab_size();
  manifest.eos_id = tokenizer->eos_id();
  manifest.tokenizer_fingerprint = files::hex(tokenizer->fingerprint());

  const auto units = find_units(sources, options.unit_bytes);
  result.units = static_cast<std::int64_t>(units.size());
  const auto sources_of = [&](std::int64_t unit) {
    const auto [first, end] = units[static_cast<std::size_t>(unit)];
    return std::span(sources).subspan(first, end - first);
  };
  for (std::int64_t unit = options.part - 1; unit < result.units; unit += options.parts) {
    if (work.finished(unit, sources_of(unit))) {
      ++result.units_before;
      continue;
    }
    const UnitRecord record =
        encode_unit(sources_of(unit), *tokenizer, encode, CorpusWork::unit_name(unit),
                    work.corpus(), work.bad_lines(unit));
    work.finish(unit, record);
    log_unit(unit, result.units, record);
  }
  if (result.units_before > 0) {
    log::info("{} units were finished before and are not made again", result.units_before);
  }

  for (std::int64_t unit = 0; unit < result.units; ++unit) {
    const auto record = work.finished(unit, sources_of(unit));
    if (!record) continue;
    ++result.units_done;
    add_unit(manifest, *record);
  }
  result.complete = result.units_done == result.units;
  if (result.complete) {
    check_text(manifest, !options.sources.empty(), out);
    if (!work.complete(manifest, result.units, out)) {
      log::info("{}: another part makes the corpus of what is finished", out.string());
    }
    result.manifest = std::move(manifest);
  }
  result.seconds = seconds();
  return result;
}

}  // namespace longconv::data
