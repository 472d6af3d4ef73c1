// IMDB reviews (Text) and pairs of AAN papers (Retrieval) to sample shards.
#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"
#include "data/formats/text_table.h"
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
#include <utility>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// The next sample; false at the end. Its texts are valid until the next is read.
using Reader = std::function<bool(LabelledTexts&)>;
/// A part of the data set, which may be read more than once.
struct Part {
  std::string name;
  std::function<Reader()> open;
};

/// All texts of a part, for training a vocabulary.
TextSource texts_of(const Part& part) {
  return [reader = part.open(), sample = LabelledTexts{},
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
    for (LabelledTexts sample; reader(sample); ++done.samples) {
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
  return [files, next = std::size_t{0}, text = std::string()](LabelledTexts& sample) mutable {
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

Reader read_table(const fs::path& path, TextTableLayout layout) {
  const auto file = std::make_shared<files::MappedFile>(path);
  const std::string_view all(reinterpret_cast<const char*>(file->bytes().data()),
                             file->bytes().size());
  return [file, table = TextTable(all, path.string(), layout)](LabelledTexts& sample) mutable {
    return table.next(sample);
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
      parts.push_back({name, [table] { return read_table(table, kImdbTable); }});
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
                       return read_table(path, any ? kAanTableWithDuplicates : kAanTable);
                     }});
  }
  return write_texts(config, std::move(facts), 2, out, parts);
}

}  // namespace longconv::data
