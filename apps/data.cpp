// longconv data prepare|tokenizer|inspect|convert (generate, and labelled data sets:
// data_tasks.cpp): from people's files to what training opens.
#include "apps/commands.h"
#include "apps/print_facts.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"
#include "data/formats/documents.h"
#include "data/tasks/convert.h"
#include "data/tasks/corpus_recipes.h"
#include "data/tasks/inspect.h"
#include "data/tasks/inspect_samples.h"
#include "data/tokenizers/characters.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace longconv::apps {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void print_split(std::string_view name, const data::ManifestSplit& split) {
  fmt::print("{:<11}{} tokens, {} bytes, {} documents, {} shards\n", name, split.tokens,
             split.bytes, split.documents, split.shards.size());
}

/// "2/4" into part and parts.
void parse_part(const std::string& text, data::PrepareOptions& options) {
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, options.part);
  bool fine = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  if (fine) {
    const auto second = std::from_chars(first.ptr + 1, end, options.parts);
    fine = second.ec == std::errc() && second.ptr == end;
  }
  LONGCONV_CHECK(fine, UsageError, "--part {}: expected I/N, e.g. 2/4", text);
}

/// All documents of the files and folders named, one after another.
data::TextSource documents_of(const std::vector<std::string>& sources) {
  std::vector<std::filesystem::path> ignored;
  std::vector<std::filesystem::path> files;
  for (const std::string& source : sources) {
    const auto found = data::list_documents(source, ignored);
    files.insert(files.end(), found.begin(), found.end());
  }
  return [files, next = std::size_t{0},
          reader = std::shared_ptr<data::DocumentReader>()](std::string& text) mutable {
    while (true) {
      if (reader != nullptr && reader->next(text)) return true;
      if (next == files.size()) return false;
      reader =
          std::make_shared<data::DocumentReader>(files[next], *data::document_format(files[next]));
      ++next;
    }
  };
}

/// Calls `handle` with each line of standard input and "<stdin>:line".
void for_each_line(const std::function<void(std::string_view, const std::string&)>& handle) {
  data::LineReader lines(data::standard_input());
  std::string_view line;
  while (lines.next(line)) handle(line, fmt::format("{}:{}", lines.name(), lines.number()));
}

ExitCode train_tokenizer(const DataTokenizerOptions& options) {
  LONGCONV_CHECK(!options.sources.empty() && !options.out.empty(), UsageError,
                 "data tokenizer train: expected text files and --out FOLDER");
  const auto begin = std::chrono::steady_clock::now();
  const data::TextSource text = documents_of(options.sources);
  const auto tokenizer = options.model == "characters"
                             ? data::train_characters(text, options.min_count)
                             : data::train_sentencepiece({options.model, options.vocab}, text);
  tokenizer->save(options.out);
  log::info("trained in {:.1f} s", seconds_since(begin));
  fmt::print("{}: {}, fingerprint {}\n", options.out, tokenizer->describe(),
             files::hex(tokenizer->fingerprint()));
  return ExitCode::ok;
}

void print_remarks(const data::Tokenizer& tokenizer) {
  if (const std::string remarks = tokenizer.remarks(); !remarks.empty()) log::warn("{}", remarks);
}

void encode_lines(const data::Tokenizer& tokenizer, const DataTokenizerOptions& options) {
  std::uint64_t number = 0;
  for_each_line([&](std::string_view line, const std::string& where) {
    std::string text(line);
    if (options.jsonl) {
      const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
      LONGCONV_CHECK(value.is_string(), DataError, "{}: expected a JSON string, got {:.60}", where,
                     line);
      text = value.get<std::string>();
    }
    const auto ids = options.sample < 0 ? tokenizer.encode(text)
                                        : tokenizer.encode_sampled(
                                              text, {options.sample, -1, options.seed + number});
    ++number;
    fmt::print("[{}]\n", fmt::join(ids, ","));
  });
  print_remarks(tokenizer);
}

std::string hexadecimal(std::string_view text) {
  return files::hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void decode_lines(const data::Tokenizer& tokenizer, bool hex, bool jsonl) {
  for_each_line([&](std::string_view line, const std::string& where) {
    const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
    std::vector<std::int32_t> ids;
    bool fine = value.is_array();
    for (const json& id : value) {
      fine = fine && id.is_number_integer() && id >= 0 && id < tokenizer.vocab_size();
      if (fine) ids.push_back(id.get<std::int32_t>());
    }
    LONGCONV_CHECK(fine, DataError, "{}: expected a JSON array of ids below {}, got {:.60}", where,
                   tokenizer.vocab_size(), line);
    std::string text = tokenizer.decode(ids);
    if (hex) {
      text = hexadecimal(text);
    } else if (jsonl) {
      text = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    }
    fmt::print("{}\n", text);
  });
}

/// Round trip of every document. Where a tokenizer is not lossless, the ids must come back from the
/// text they decode to. Throws DataError at the first that does not come back.
ExitCode check_tokenizer(const data::Tokenizer& tokenizer, const DataTokenizerOptions& options) {
  LONGCONV_CHECK(!options.sources.empty(), UsageError, "data tokenizer check: expected text files");
  const auto begin = std::chrono::steady_clock::now();
  const data::TextSource next = documents_of(options.sources);
  std::int64_t documents = 0;
  std::int64_t bytes = 0;
  std::int64_t tokens = 0;
  for (std::string text; next(text); ++documents) {
    const auto ids = tokenizer.encode(text);
    const std::string back = tokenizer.decode(ids);
    if (!tokenizer.lossless()) {
      const auto again = tokenizer.encode(back);
      const auto at = std::mismatch(ids.begin(), ids.end(), again.begin(), again.end()).first;
      LONGCONV_CHECK(again == ids, DataError,
                     "{}: document {} gives {} ids, the text they decode to gives {}, others from "
                     "id {} on",
                     options.tokenizer, documents + 1, ids.size(), again.size(), at - ids.begin());
    } else if (back != text) {
      const auto differs = std::mismatch(text.begin(), text.end(), back.begin(), back.end()).first;
      const auto at = static_cast<std::size_t>(differs - text.begin());
      throw DataError(fmt::format(
          "{}: document {} does not come back: from byte {} on it has {} (hexadecimal), decoded it "
          "has {}; this tokenizer changes text",
          options.tokenizer, documents + 1, at, hexadecimal(text.substr(at, 12)),
          hexadecimal(back.substr(std::min(at, back.size()), 12))));
    }
    bytes += static_cast<std::int64_t>(text.size());
    tokens += static_cast<std::int64_t>(ids.size());
  }
  log::info("checked in {:.1f} s", seconds_since(begin));
  print_remarks(tokenizer);
  fmt::print("{}: {} documents, {} bytes, {} tokens, {:.4f} tokens a byte: every {} comes back\n",
             tokenizer.describe(), documents, bytes, tokens,
             bytes > 0 ? static_cast<double>(tokens) / static_cast<double>(bytes) : 0.0,
             tokenizer.lossless() ? "byte" : "id");
  return ExitCode::ok;
}

/// The samples of an image shard: to a PNG file where asked, else as blocks for people.
void show_images(const DataInspectOptions& options, const std::string& facts) {
  const bool images = ordered_json::parse(facts).contains("image");
  LONGCONV_CHECK(images || options.png.empty(), UsageError,
                 "data inspect --png: {} holds no images", options.path);
  if (!images || options.samples == 0) return;
  if (!options.png.empty()) {
    data::write_png(options.png, data::contact_sheet(options.path, options.samples));
    log::info("{} images: {}", options.samples, options.png);
  } else if (!options.json) {
    // As much as a terminal is wide.
    const data::Picture sheet =
        data::contact_sheet(options.path, std::min<std::int64_t>(options.samples, 2));
    fmt::print("{}", data::picture_blocks(sheet, 80));
  }
}

}  // namespace

ExitCode data_prepare(const DataPrepareOptions& options) {
  if (is_labelled_data_set(options.text.sources)) return prepare_labelled(options);
  data::PrepareOptions how = options.text;
  if (!options.part.empty()) parse_part(options.part, how);
  data::apply_recipe(how);
  const data::PrepareResult result = data::prepare_corpus(how);
  const data::Manifest& manifest = result.manifest;
  const std::string folder = how.out.string();
  if (options.json) {
    ordered_json out = {
        {"folder", folder},      {"reused", result.reused},         {"complete", result.complete},
        {"units", result.units}, {"units_done", result.units_done}, {"seconds", result.seconds}};
    if (result.complete) out.update(ordered_json::parse(manifest.to_json()));
    fmt::print("{}\n", out.dump(2));
    return ExitCode::ok;
  }
  if (!result.complete) {
    fmt::print(
        "{}: this part is finished; {} of {} units are: the part that finishes the last one "
        "makes the corpus\n",
        folder, result.units_done, result.units);
    return ExitCode::ok;
  }
  fmt::print("{}: {} in {:.1f} s\n", folder,
             result.reused ? "complete already, made from the same sources" : "written",
             result.seconds);
  fmt::print("{:<11}{}\n", "tokenizer", manifest.tokenizer_description);
  print_split("train", manifest.train);
  print_split("validation", manifest.validation);
  if (manifest.empty_documents > 0 || manifest.bad_lines > 0) {
    fmt::print("{:<11}{} empty documents, {} bad lines\n", "left out", manifest.empty_documents,
               manifest.bad_lines);
  }
  return ExitCode::ok;
}

ExitCode data_tokenizer(const DataTokenizerOptions& options) {
  if (options.action == "train") return train_tokenizer(options);
  LONGCONV_CHECK(!options.tokenizer.empty(), UsageError,
                 "data tokenizer {}: --tokenizer NAME|PATH is missing", options.action);
  data::TokenizerOptions how;
  how.special_text = !options.plain_specials;
  how.upper_case = !options.keep_case;
  const auto tokenizer = data::open_tokenizer(options.tokenizer, how);
  if (options.action == "check") return check_tokenizer(*tokenizer, options);
  LONGCONV_CHECK(options.action == "encode" || options.action == "decode", UsageError,
                 "data tokenizer {}: expected train, encode, decode or check", options.action);
  LONGCONV_CHECK(options.sources.empty(), UsageError,
                 "data tokenizer {}: reads standard input; {} is not used", options.action,
                 options.sources.empty() ? "" : options.sources.front());
  if (options.action == "encode") {
    encode_lines(*tokenizer, options);
  } else {
    decode_lines(*tokenizer, options.hex, options.jsonl);
  }
  return ExitCode::ok;
}

ExitCode data_inspect(const DataInspectOptions& options) {
  const std::string facts = data::inspect_data(options.path, {options.samples, options.verify});
  print_result(facts, options.json);
  show_images(options, facts);
  return ExitCode::ok;
}

ExitCode data_convert(const DataConvertOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const data::Converted done =
      data::convert_data(options.source, options.target, options.tokenizer);
  if (options.json) {
    const ordered_json out = {{"source", options.source}, {"target", options.target},
                              {"what", done.what},        {"layout", done.layout},
                              {"shape", done.shape},      {"documents", done.documents}};
    fmt::print("{}\n", out.dump(2));
    return ExitCode::ok;
  }
  log::info("converted in {:.1f} s", seconds_since(begin));
  fmt::print("{} ({}) -> {}: {} [{}]{}\n", options.source, done.layout, options.target, done.what,
             fmt::join(done.shape, ", "),
             done.documents > 0 ? fmt::format(", {} documents", done.documents) : "");
  return ExitCode::ok;
}

}  // namespace longconv::apps
