// GLUE's TSV files to a sample shard.
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/hash.h"
#include "core/files/mapped_file.h"
#include "data/tasks/glue.h"
#include "data/tokenizers/tokenizer.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <vector>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr char kMicrosoftTrain[] = "msr_paraphrase_train.txt";
constexpr char kMicrosoftTest[] = "msr_paraphrase_test.txt";
constexpr char kDevIds[] = "dev_ids.tsv";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string_view view(const files::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// Puts rows into the shard and keeps count.
class GlueWriter {
 public:
  GlueWriter(const GlueTask& task, const Tokenizer& tokenizer, const fs::path& out)
      : task_(task), tokenizer_(tokenizer), writer_(out, layout(task, tokenizer)) {}

  void add(const GlueRow& row) {
    add_part(row.first);
    if (!task_.second.empty()) add_part(row.second);
    const auto label = static_cast<std::int32_t>(row.label);
    const auto index = static_cast<std::int32_t>(row.index);
    if (task_.labels.empty()) {
      const auto score = static_cast<std::int32_t>(std::lround(1000 * row.score));
      writer_.add_row(std::array<std::int32_t, 3>{label, index, score});
    } else {
      writer_.add_row(std::array<std::int32_t, 2>{label, index});
    }
    ++done_.samples;
  }

  /// All rows of a file are one part.
  void add_file(const fs::path& path, std::string_view part) {
    begin_part(part);
    const files::MappedFile file(path);
    skip(parse_glue(view(file), path.string(), task_, part,
                    [this](const GlueRow& row) { add(row); }),
         path);
  }
  void begin_part(std::string_view part) {
    end_part();
    facts_.splits.push_back({std::string(part), done_.samples, done_.samples});
  }
  void skip(std::int64_t lines, const fs::path& path) {
    done_.skipped += lines;
    if (lines > 0) log::warn("{}: {} lines are left out", path.string(), lines);
  }

  Written finish(const fs::path& folder) {
    end_part();
    facts_.task = "glue";
    facts_.columns = {"label", "index"};
    if (task_.labels.empty()) facts_.columns.emplace_back("score_thousandths");
    facts_.classes.assign(task_.labels.begin(), task_.labels.end());
    if (facts_.classes.empty()) facts_.classes = {"score"};
    facts_.coding = "symbols";
    facts_.separator = " ";
    for (std::int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
      facts_.symbols.push_back(tokenizer_.decode({id}));
    }
    const BertSpecials specials = bert_specials(tokenizer_);
    const ordered_json made = {{"glue", task_.name},
                               {"folder", folder.string()},
                               {"tokenizer_fingerprint", files::hex(tokenizer_.fingerprint())},
                               {"pad", specials.pad},
                               {"unk", specials.unk},
                               {"cls", specials.cls},
                               {"sep", specials.sep},
                               {"mask", specials.mask}};
    facts_.made_json = made.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    writer_.finish(to_json(facts_));
    return done_;
  }

 private:
  static SampleLayout layout(const GlueTask& task, const Tokenizer& tokenizer) {
    LONGCONV_CHECK(tokenizer.vocab_size() <= 65536, DataError,
                   "{}: expected at most 65536 ids for a GLUE shard", tokenizer.describe());
    SampleLayout layout;
    layout.value_bytes = 2;
    layout.parts = task.second.empty() ? 1 : 2;
    layout.vocabulary = tokenizer.vocab_size();
    layout.classes = std::max<std::int64_t>(1, static_cast<std::int64_t>(task.labels.size()));
    layout.columns = task.labels.empty() ? 3 : 2;
    return layout;
  }
  void add_part(std::string_view text) {
    const std::vector<std::int32_t> ids = tokenizer_.encode(text);
    writer_.add_part(std::vector<std::uint16_t>(ids.begin(), ids.end()));
  }
  void end_part() {
    if (!facts_.splits.empty()) facts_.splits.back().end = done_.samples;
  }

  const GlueTask& task_;
  const Tokenizer& tokenizer_;
  SampleShardWriter writer_;
  SampleFacts facts_;
  Written done_;
};

/// Microsoft's files: the pairs that dev_ids.tsv lists validate, the rest of train trains.
void add_microsoft(const fs::path& folder, const GlueTask& task, GlueWriter& writer) {
  const files::MappedFile ids(folder / kDevIds);
  const GluePairs dev = parse_glue_pairs(view(ids), (folder / kDevIds).string());
  const fs::path path = folder / kMicrosoftTrain;
  const files::MappedFile train(path);
  for (const std::string_view part : {"train", "validation"}) {
    writer.begin_part(part);
    std::size_t found = 0;
    parse_glue(view(train), path.string(), task, part, [&](const GlueRow& row) {
      const bool held = dev.count({std::string(row.first_id), std::string(row.second_id)}) > 0;
      if (held == (part == "validation")) writer.add(row);
      found += held ? 1 : 0;
    });
    LONGCONV_CHECK(found == dev.size(), DataError, "{}: {} of the {} pairs of {} are there",
                   path.string(), found, dev.size(), kDevIds);
  }
  if (is_there(folder / kMicrosoftTest)) writer.add_file(folder / kMicrosoftTest, "test");
}

}  // namespace

Written prepare_glue(const GlueFilesConfig& config, const fs::path& folder, const fs::path& out,
                     std::int64_t /*threads*/) {
  if (config.task().empty()) config.task.fail("which GLUE task? e.g. task=cola");
  const GlueTask& task = glue_task(config.task());
  const fs::path place = is_there(folder / task.folder) ? folder / task.folder : folder;
  const auto tokenizer = open_tokenizer(config.tokenizer());
  GlueWriter writer(task, *tokenizer, out);
  if (task.name == "mrpc" && !is_there(place / "train.tsv") && is_there(place / kMicrosoftTrain)) {
    add_microsoft(place, task, writer);
    return writer.finish(place);
  }
  bool any = false;
  for (const GluePart& part : task.parts) {
    const fs::path path = place / part.file;
    const bool optional = !part.submission.empty() || task.name == "ax";
    if (optional && !is_there(path)) {
      log::info("{}: not there; the shard has no part {}", path.string(), part.part);
      continue;
    }
    LONGCONV_CHECK(is_there(path), DataError, "{}: no such file; expected the {} files of GLUE",
                   path.string(), task.folder);
    writer.add_file(path, part.part);
    any = true;
  }
  LONGCONV_CHECK(any, DataError, "{}: expected diagnostic.tsv or diagnostic-full.tsv",
                 place.string());
  return writer.finish(place);
}

}  // namespace longconv::data
