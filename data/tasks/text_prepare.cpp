// IMDB reviews (Text) and pairs of AAN papers (Retrieval) to sample shards.
#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"
#include "data/formats/text_fields.h"
#include "data/formats/utf8.h"
#include "data/tasks/labelled.h"
#include "data/tasks/sample_facts.h"
#include "data/tokenizers/characters.h"
#include "data/tokenizers/lra.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// One or two texts, valid until the next is read, and their label.
struct Labelled {
  int label = 0;
  std::vector<std::string_view> texts;
};
/// The next sample; false at the end.
using Reader = std::function<bool(Labelled&)>;
/// A part of the data set, which may be read more than once.
struct Part {
  std::string name;
  std::function<Reader()> open;
};

/// All texts of a part, for training a vocabulary.
TextSource texts_of(const Part& part) {
  return [reader = part.open(), sample = Labelled{},
          next = std::size_t{0}](std::string& text) mutable {
    if (next == sample.texts.size()) {
      next = 0;
      if (!reader(sample)) return false;
    }
    text = sample.texts[next++];
    return true;
  };
}

/// Writes all parts, with the vocabulary of the first.
Written write_texts(const TextConfig& config, SampleFacts facts, int texts, const fs::path& out,
                    const std::vector<Part>& parts) {
  std::shared_ptr<const Tokenizer> tokenizer = std::make_shared<LraByteTokenizer>();
  facts.coding = config.coding();
  if (facts.coding == "characters") {
    tokenizer = train_characters(texts_of(parts.front()), config.min_frequency());
    facts.coding = "symbols";
    facts.symbols = {"<pad>", "<unk>", "<eos>"};
    for (auto id = static_cast<std::int32_t>(facts.symbols.size()); id < tokenizer->vocab_size();
         ++id) {
      facts.symbols.push_back(tokenizer->decode({id}));
    }
  }
  const auto longest = static_cast<std::size_t>(config.max_length());
  const std::int64_t end = tokenizer->eos_id();
  SampleLayout layout;
  layout.value_bytes = 2;
  layout.parts = texts;
  layout.vocabulary = tokenizer->vocab_size();
  layout.classes = 2;
  SampleShardWriter writer(out, layout);
  Written done;
  for (const Part& part : parts) {
    const std::int64_t first = done.samples;
    const Reader reader = part.open();
    for (Labelled sample; reader(sample); ++done.samples) {
      for (const std::string_view text : sample.texts) {
        std::vector<std::int32_t> ids = tokenizer->encode(text);
        ids.resize(std::min(ids.size(), end >= 0 ? longest - 1 : longest));
        if (end >= 0) ids.push_back(static_cast<std::int32_t>(end));
        writer.add_part(std::vector<std::uint16_t>(ids.begin(), ids.end()));
      }
      writer.add_row(std::array<std::int32_t, 1>{sample.label});
    }
    facts.splits.push_back({part.name, first, done.samples});
  }
  writer.finish(to_json(facts));
  return done;
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

Reader read_reviews(const fs::path& folder) {
  std::vector<std::pair<fs::path, int>> files;
  for (const int label : {0, 1}) {
    for (fs::path& path : reviews_in(folder / (label == 0 ? "neg" : "pos"))) {
      files.emplace_back(std::move(path), label);
    }
  }
  return [files, next = std::size_t{0}, text = std::string()](Labelled& sample) mutable {
    if (next == files.size()) return false;
    const auto& [path, label] = files[next++];
    text = files::read_text(path);
    LONGCONV_CHECK(!text.empty(), DataError, "{}: an empty review", path.string());
    const std::size_t wrong = utf8_error(text);
    LONGCONV_CHECK(wrong == std::string_view::npos, DataError, "{}: not UTF-8 at byte {}",
                   path.string(), wrong);
    sample = {label, {text}};
    return true;
  };
}

/// Looks at a line's fields and where it stands.
using LineCheck = std::function<void(std::span<const std::string_view>, const std::string&)>;

/// A table of lines with `columns` fields, of which the first is a label and the last `texts` are
/// texts. `check` sees each line before it is given.
Reader read_table(const fs::path& path, std::size_t columns, std::size_t texts,
                  const LineCheck& check = {}) {
  const auto file = std::make_shared<files::MappedFile>(path);
  LONGCONV_CHECK(!file->bytes().empty(), DataError, "{}: empty", path.string());
  const std::string_view all(reinterpret_cast<const char*>(file->bytes().data()),
                             file->bytes().size());
  return [file, lines = TextLines(all, path.string()), columns, texts,
          check](Labelled& sample) mutable {
    std::string_view line;
    if (!lines.next(line)) return false;
    const auto fields = split_fields(line, '\t');
    LONGCONV_CHECK(fields.size() == columns, DataError, "{}: {} fields between tabs, expected {}",
                   lines.where(), fields.size(), columns);
    sample = {label_of(fields.front(), lines.where()), {}};
    for (std::size_t i = columns - texts; i < columns; ++i) {
      LONGCONV_CHECK(!fields[i].empty(), DataError, "{}: field {} is empty", lines.where(), i + 1);
      sample.texts.push_back(fields[i]);
    }
    if (check) check(fields, lines.where());
    return true;
  };
}

/// Refuses what makes ids of AAN's lines (label, two ids, two texts) no ids: a pair that was there
/// before, and an id that stood for another text.
LineCheck unique_pairs() {
  struct Seen {
    std::string where;
    std::uint64_t text = 0;  // hash
  };
  return [documents = std::map<std::string, Seen, std::less<>>(),
          pairs = std::map<std::pair<std::string, std::string>, std::string>()](
             std::span<const std::string_view> fields, const std::string& where) mutable {
    constexpr std::string_view kNext = "allow_duplicates=true takes all";
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      const std::uint64_t text = std::hash<std::string_view>()(fields[i + 2]);
      const auto [seen, fresh] = documents.try_emplace(std::string(fields[i]), Seen{where, text});
      LONGCONV_CHECK(fresh || seen->second.text == text, DataError,
                     "{}: the id {} stands for another text than at {}; {}", where, fields[i],
                     seen->second.where, kNext);
    }
    const auto [seen, fresh] = pairs.emplace(std::pair(fields[1], fields[2]), where);
    LONGCONV_CHECK(fresh, DataError, "{}: the pair {}, {} a second time, first at {}; {}", where,
                   fields[1], fields[2], seen->second, kNext);
  };
}

}  // namespace

Written prepare_imdb(const ImdbConfig& config, const fs::path& folder, const fs::path& out,
                     std::int64_t /*threads*/) {
  SampleFacts facts;
  facts.task = "imdb";
  facts.classes = {"negative", "positive"};
  facts.made_json = sources_json({folder});
  std::vector<Part> parts;
  for (const char* name : {"train", "test"}) {
    const fs::path table = folder / (std::string(name) + ".tsv");
    std::error_code error;
    if (fs::exists(table, error)) {
      parts.push_back({name, [table] { return read_table(table, 2, 1); }});
    } else {
      parts.push_back({name, [path = folder / name] { return read_reviews(path); }});
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
  std::vector<Part> parts;
  for (const auto& [name, file] : {std::pair("train", "new_aan_pairs.train.tsv"),
                                   std::pair("validation", "new_aan_pairs.eval.tsv"),
                                   std::pair("test", "new_aan_pairs.test.tsv")}) {
    parts.push_back({name, [path = folder / file, any = config.allow_duplicates()] {
                       return read_table(path, 5, 2, any ? LineCheck() : unique_pairs());
                     }});
  }
  return write_texts(config, std::move(facts), 2, out, parts);
}

}  // namespace longconv::data
