#include "data/tasks/corpus_sources.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"
#include "data/formats/utf8.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// Copies standard input to a file whose name says what it is.
fs::path spool_standard_input(const fs::path& scratch) {
  const auto input = standard_input();
  std::vector<std::byte> chunk(std::size_t{1} << 20);
  std::size_t got = input->read(chunk);
  const auto first = std::find_if(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(got),
                                  [](std::byte b) {
                                    return b != std::byte{' '} && b != std::byte{'\n'} &&
                                           b != std::byte{'\r'} && b != std::byte{'\t'};
                                  });
  const bool json =
      first != chunk.begin() + static_cast<std::ptrdiff_t>(got) && *first == std::byte{'{'};
  files::create_folders(scratch);
  const fs::path path = scratch / (json ? "stdin.jsonl" : "stdin.txt");
  files::AtomicFile copy(path);
  for (; got > 0; got = input->read(chunk)) copy.write(std::span(chunk).first(got));
  copy.commit();
  return path;
}

struct Holdout {
  std::string name;
  double share = 0.0;
};

Holdout parse_holdout(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  double share = 0.0;
  bool fine = equals != std::string::npos && equals > 0;
  if (fine) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, share);
    fine = error == std::errc() && stop == end && share > 0.0 && share < 1.0;
  }
  LONGCONV_CHECK(fine, UsageError,
                 "--holdout {}: expected FILE_NAME=SHARE with a share between 0 and 1, e.g. "
                 "book.txt=0.1",
                 text);
  return {text.substr(0, equals), share};
}

void add(const std::string& argument, const fs::path& scratch, std::vector<CorpusSource>& out) {
  const bool is_stdin = argument == "-";
  const fs::path given = is_stdin ? spool_standard_input(scratch) : fs::path(argument);
  std::vector<fs::path> ignored;
  for (const fs::path& path : list_documents(given, ignored)) {
    CorpusSource source;
    source.path = path;
    source.name =
        path == given ? path.filename().string() : path.lexically_relative(given).string();
    source.format = *document_format(path);
    out.push_back(std::move(source));
  }
  if (!ignored.empty()) {
    log::info("{}: {} files with other endings are left out, the first is {}", given.string(),
              ignored.size(), ignored.front().string());
  }
}

/// The file as a string, without a copy.
std::string_view view(const files::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void apply_holdout(const std::string& text, std::vector<CorpusSource>& sources) {
  const Holdout holdout = parse_holdout(text);
  CorpusSource* found = nullptr;
  std::vector<std::string> names;
  for (CorpusSource& source : sources) {
    if (source.cut == 0) continue;  // validation already
    names.push_back(source.path.filename().string());
    if (names.back() != holdout.name) continue;
    LONGCONV_CHECK(found == nullptr, UsageError, "--holdout {}: {} and {} both have this name",
                   text, found->path.string(), source.path.string());
    found = &source;
  }
  LONGCONV_CHECK(found != nullptr, UsageError,
                 "--holdout {}: no training source has this file name; there are: {}", text,
                 fmt::join(names, ", "));
  LONGCONV_CHECK(
      found->format == DocumentFormat::text, UsageError,
      "--holdout {}: only a .txt file can be cut; name a file of documents with --validation, or "
      "give --validation-share",
      text);
  const files::MappedFile file(found->path);
  const double train = std::floor(static_cast<double>(found->bytes) * (1.0 - holdout.share));
  found->cut = static_cast<std::int64_t>(utf8_floor(view(file), static_cast<std::size_t>(train)));
  LONGCONV_CHECK(found->cut > 0 && found->cut < found->bytes, UsageError,
                 "--holdout {}: of {} bytes one part would be empty", text, found->bytes);
}

}  // namespace

ManifestSource CorpusSource::entry(const std::string& sha256) const {
  std::string use = cut == bytes ? "train" : "validation";
  if (cut > 0 && cut < bytes) use = fmt::format("split at byte {}", cut);
  return {name, sha256, bytes, use};
}

std::vector<CorpusSource> find_sources(const std::vector<std::string>& sources,
                                       const std::vector<std::string>& validation,
                                       const std::vector<std::string>& holdout,
                                       const fs::path& scratch) {
  LONGCONV_CHECK(
      !sources.empty() || !validation.empty(), UsageError,
      "data prepare: no source given; expected files whose names end in {}, folders of these, or - "
      "for standard input",
      kDocumentEndings);
  std::vector<CorpusSource> train;
  for (const std::string& argument : sources) add(argument, scratch, train);
  std::vector<CorpusSource> held;
  for (const std::string& argument : validation) add(argument, scratch, held);

  std::set<fs::path> held_paths;
  for (const CorpusSource& source : held) held_paths.insert(fs::canonical(source.path));
  std::set<fs::path> seen;
  std::vector<CorpusSource> all;
  for (CorpusSource& source : train) {
    const fs::path canonical = fs::canonical(source.path);
    if (held_paths.count(canonical) > 0) continue;
    LONGCONV_CHECK(seen.insert(canonical).second, UsageError,
                   "data prepare: {} is named twice among the sources", source.path.string());
    all.push_back(std::move(source));
  }
  const std::size_t train_count = all.size();
  for (CorpusSource& source : held) {
    if (seen.insert(fs::canonical(source.path)).second) all.push_back(std::move(source));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    CorpusSource& source = all[i];
    source.bytes = static_cast<std::int64_t>(fs::file_size(source.path));
    LONGCONV_CHECK(source.bytes > 0, DataError, "{}: empty file", source.path.string());
    source.cut = i < train_count ? source.bytes : 0;
  }
  for (const std::string& text : holdout) apply_holdout(text, all);
  return all;
}

}  // namespace longconv::data
