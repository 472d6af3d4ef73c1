// IMDB reviews (Text) and pairs of AAN papers (Retrieval) to sample shards.
#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"
#include "data/formats/text_fields.h"
#include "data/formats/utf8.h"
#include "data/tasks/labelled.h"
#include "data/tasks/sample_facts.h"
#include "data/tasks/text_coding.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// One or two texts and their label.
struct Labelled {
  int label = 0;
  std::vector<std::string_view> texts;
};
using Take = std::function<void(const Labelled&)>;
/// Gives all samples of a part, in order; called once or, where characters are counted, twice.
using Part = std::function<void(const Take&)>;

/// Counts characters of the first part, then writes all parts.
Written write_texts(const TextConfig& config, SampleFacts facts, int texts, const fs::path& out,
                    const std::vector<std::pair<std::string, Part>>& parts) {
  TextCoder coder(config);
  if (coder.learns()) {
    parts.front().second([&](const Labelled& sample) {
      for (const std::string_view text : sample.texts) coder.count(text);
    });
    coder.freeze();
  }
  coder.describe(facts);
  SampleLayout layout;
  layout.value_bytes = 2;
  layout.parts = texts;
  layout.vocabulary = coder.vocabulary();
  layout.classes = 2;
  SampleShardWriter writer(out, layout);
  Written done;
  for (const auto& [name, part] : parts) {
    const std::int64_t first = done.samples;
    part([&](const Labelled& sample) {
      for (const std::string_view text : sample.texts) writer.add_part(coder.encode(text));
      writer.add_row(std::array<std::int32_t, 1>{sample.label});
      ++done.samples;
    });
    facts.splits.push_back({name, first, done.samples});
  }
  writer.finish(to_json(facts));
  return done;
}

std::string_view text_of(const files::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

int label_of(std::string_view field, const std::string& where) {
  // AAN's labels are floats: "0.0", "1.0".
  const std::string_view whole = field.substr(0, field.find(".0"));
  LONGCONV_CHECK(whole == "0" || whole == "1", DataError, "{}: label \"{:.20}\", expected 0 or 1",
                 where, field);
  return whole == "1" ? 1 : 0;
}

/// <id>_<rating>.txt, sorted by id. Throws DataError for other names and an id that is there twice.
std::vector<fs::path> reviews_in(const fs::path& folder) {
  std::error_code error;
  std::map<std::int64_t, fs::path> found;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    const std::string name = file.path().filename().string();
    std::int64_t id = -1;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), id);
    const bool fine = problem == std::errc{} && id >= 0 && *end == '_' && name.ends_with(".txt");
    LONGCONV_CHECK(fine, DataError, "{}: expected names like 123_7.txt", file.path().string());
    const auto [at, fresh] = found.emplace(id, file.path());
    LONGCONV_CHECK(fresh, DataError, "{}: review {} a second time, first in {}",
                   file.path().string(), id, at->second.filename().string());
  }
  LONGCONV_CHECK(!found.empty(), DataError, "{}: no reviews (<id>_<rating>.txt)", folder.string());
  std::vector<fs::path> out;
  out.reserve(found.size());
  for (auto& [id, path] : found) out.push_back(std::move(path));
  return out;
}

void read_reviews(const fs::path& folder, const Take& take) {
  for (const int label : {0, 1}) {
    for (const fs::path& path : reviews_in(folder / (label == 0 ? "neg" : "pos"))) {
      const std::string text = files::read_text(path);
      LONGCONV_CHECK(!text.empty(), DataError, "{}: an empty review", path.string());
      const std::size_t wrong = utf8_error(text);
      LONGCONV_CHECK(wrong == std::string_view::npos, DataError, "{}: not UTF-8 at byte {}",
                     path.string(), wrong);
      take({label, {text}});
    }
  }
}

/// Lines of `columns` fields, of which the first is a label and the last `texts` are texts.
void read_table(const fs::path& path, std::size_t columns, std::size_t texts, const Take& take) {
  const files::MappedFile file(path);
  std::int64_t samples = 0;
  for_each_text_line(
      text_of(file), path.string(), [&](std::string_view line, const std::string& where) {
        const auto fields = split_fields(line, '\t');
        LONGCONV_CHECK(fields.size() == columns, DataError,
                       "{}: {} fields between tabs, expected {}", where, fields.size(), columns);
        Labelled sample{label_of(fields.front(), where), {}};
        for (std::size_t i = columns - texts; i < columns; ++i) {
          LONGCONV_CHECK(!fields[i].empty(), DataError, "{}: field {} is empty", where, i + 1);
          sample.texts.push_back(fields[i]);
        }
        take(sample);
        ++samples;
      });
  LONGCONV_CHECK(samples > 0, DataError, "{}: no line in it", path.string());
}

}  // namespace

Written prepare_imdb(const ImdbConfig& config, const fs::path& folder, const fs::path& out,
                     std::int64_t /*threads*/) {
  SampleFacts facts;
  facts.task = "imdb";
  facts.classes = {"negative", "positive"};
  facts.made_json = sources_json({folder});
  std::vector<std::pair<std::string, Part>> parts;
  for (const char* name : {"train", "test"}) {
    const fs::path table = folder / (std::string(name) + ".tsv");
    std::error_code error;
    if (fs::exists(table, error)) {
      parts.emplace_back(name, [table](const Take& take) { read_table(table, 2, 1, take); });
    } else {
      parts.emplace_back(name,
                         [path = folder / name](const Take& take) { read_reviews(path, take); });
    }
  }
  return write_texts(config, std::move(facts), 1, out, parts);
}

Written prepare_aan(const AanConfig& config, const fs::path& folder, const fs::path& out,
                    std::int64_t /*threads*/) {
  SampleFacts facts;
  facts.task = "aan";
  facts.classes = {"unrelated", "one cites the other"};
  facts.made_json = sources_json({folder});
  std::vector<std::pair<std::string, Part>> parts;
  for (const auto& [name, file] : {std::pair("train", "new_aan_pairs.train.tsv"),
                                   std::pair("validation", "new_aan_pairs.eval.tsv"),
                                   std::pair("test", "new_aan_pairs.test.tsv")}) {
    parts.emplace_back(name,
                       [path = folder / file](const Take& take) { read_table(path, 5, 2, take); });
  }
  return write_texts(config, std::move(facts), 2, out, parts);
}

}  // namespace longconv::data
