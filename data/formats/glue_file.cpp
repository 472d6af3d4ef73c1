#include "data/formats/glue_file.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>
#include <vector>

namespace longconv::data {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

constexpr std::string_view kZeroOne[] = {"0", "1"};
constexpr std::string_view kMnliLabels[] = {"entailment", "neutral", "contradiction"};
constexpr std::string_view kEntailment[] = {"entailment", "not_entailment"};

constexpr std::array<GluePart, 3> usual_parts(std::string_view submission) {
  return {{{"train", "train.tsv", ""},
           {"validation", "dev.tsv", ""},
           {"test", "test.tsv", submission}}};
}

constexpr auto kCola = usual_parts("CoLA.tsv");
constexpr auto kSst2 = usual_parts("SST-2.tsv");
constexpr auto kMrpc = usual_parts("MRPC.tsv");
constexpr auto kStsb = usual_parts("STS-B.tsv");
constexpr auto kQqp = usual_parts("QQP.tsv");
constexpr auto kQnli = usual_parts("QNLI.tsv");
constexpr auto kRte = usual_parts("RTE.tsv");
constexpr auto kWnli = usual_parts("WNLI.tsv");
constexpr GluePart kMnli[] = {{"train", "train.tsv", ""},
                              {"validation", "dev_matched.tsv", ""},
                              {"validation_mismatched", "dev_mismatched.tsv", ""},
                              {"test", "test_matched.tsv", "MNLI-m.tsv"},
                              {"test_mismatched", "test_mismatched.tsv", "MNLI-mm.tsv"}};
constexpr GluePart kAx[] = {{"validation", "diagnostic-full.tsv", ""},
                            {"test", "diagnostic.tsv", "AX.tsv"}};

// clang-format off
constexpr GlueTask kTasks[] = {
    // name   folder   first                second                  label             id       labels       parts  headerless drops_short
    {"cola", "CoLA",  "sentence",          "",                     "label",          "index", kZeroOne,    kCola, true,  false},
    {"sst2", "SST-2", "sentence",          "",                     "label",          "index", kZeroOne,    kSst2, false, false},
    {"mrpc", "MRPC",  "#1 String",         "#2 String",            "Quality",        "index", kZeroOne,    kMrpc, false, false},
    {"stsb", "STS-B", "sentence1",         "sentence2",            "score",          "index", {},          kStsb, false, false},
    {"qqp",  "QQP",   "question1",         "question2",            "is_duplicate",   "id",    kZeroOne,    kQqp,  false, true},
    {"mnli", "MNLI",  "sentence1",         "sentence2",            "gold_label",     "index", kMnliLabels, kMnli, false, false},
    {"qnli", "QNLI",  "question",          "sentence",             "label",          "index", kEntailment, kQnli, false, false},
    {"rte",  "RTE",   "sentence1",         "sentence2",            "label",          "index", kEntailment, kRte,  false, false},
    {"wnli", "WNLI",  "sentence1",         "sentence2",            "label",          "index", kZeroOne,    kWnli, false, false},
    {"ax",   "AX",    "sentence1|Premise", "sentence2|Hypothesis", "Label",          "index", kMnliLabels, kAx,   false, false},
};
// clang-format on

/// Where a part's fields stand.
struct Columns {
  std::size_t first = kNone;
  std::size_t second = kNone;
  std::size_t label = kNone;
  std::size_t id = kNone;
  std::size_t first_id = kNone;
  std::size_t second_id = kNone;
  std::size_t wanted = 0;  ///< fields a line must have
};

std::size_t find_column(const std::vector<std::string_view>& header, std::string_view names) {
  for (const std::string_view name : split_fields(names, '|')) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at != header.end()) return static_cast<std::size_t>(at - header.begin());
  }
  return kNone;
}

bool is_test(std::string_view part) { return part.starts_with("test"); }

Columns find_columns(const std::vector<std::string_view>& header, const GlueTask& task,
                     std::string_view part, const std::string& where) {
  const auto need = [&](std::string_view names) {
    const std::size_t at = find_column(header, names);
    LONGCONV_CHECK(at != kNone, DataError, "{}: {} {} needs the column \"{}\", the header has: {}",
                   where, task.folder, part, names, fmt::join(header, ", "));
    return at;
  };
  Columns columns;
  columns.first = need(task.first);
  if (!task.second.empty()) columns.second = need(task.second);
  if (is_test(part)) {
    columns.id = find_column(header, task.id);
    columns.label = kNone;
  } else {
    columns.label = need(task.label);
  }
  columns.first_id = find_column(header, "#1 ID");
  columns.second_id = find_column(header, "#2 ID");
  return columns;
}

/// Fields that a line must have at least.
std::size_t wanted_fields(const Columns& columns) {
  std::size_t wanted = 0;
  for (const std::size_t at : {columns.first, columns.second, columns.label, columns.id,
                               columns.first_id, columns.second_id}) {
    if (at != kNone) wanted = std::max(wanted, at + 1);
  }
  return wanted;
}

/// Shards keep it in 32 bits.
std::int64_t parse_index(std::string_view field, const std::string& where) {
  std::int32_t index = -1;
  const char* stop = field.data() + field.size();
  const auto [end, problem] = std::from_chars(field.data(), stop, index);
  LONGCONV_CHECK(problem == std::errc{} && end == stop && index >= 0, DataError,
                 "{}: index \"{:.40}\", expected a whole number below 2^31", where, field);
  return index;
}

double parse_score(std::string_view field, const std::string& where) {
  double score = -1.0;
  const char* stop = field.data() + field.size();
  const auto [end, problem] = std::from_chars(field.data(), stop, score);
  LONGCONV_CHECK(problem == std::errc{} && end == stop && score >= 0.0 && score <= 5.0, DataError,
                 "{}: score \"{:.40}\", expected a number from 0 to 5", where, field);
  return score;
}

}  // namespace

std::span<const GlueTask> glue_tasks() { return kTasks; }

const GlueTask& glue_task(std::string_view name) {
  std::vector<std::string_view> names;
  for (const GlueTask& task : kTasks) {
    if (task.name == name) return task;
    names.push_back(task.name);
  }
  throw DataError(
      fmt::format("GLUE has no task \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

std::int64_t parse_glue(std::string_view text, const std::string& path, const GlueTask& task,
                        std::string_view part, const std::function<void(const GlueRow&)>& handle) {
  TextLines lines(text, path);
  std::string_view line;
  Columns columns;
  if (task.headerless && !is_test(part)) {
    columns.label = 1;
    columns.first = 3;
  } else {
    LONGCONV_CHECK(lines.next(line), DataError, "{}: empty, expected a header", path);
    columns = find_columns(split_fields(line, '\t'), task, part, lines.where());
  }
  columns.wanted = wanted_fields(columns);
  const auto field = [&](const std::vector<std::string_view>& fields, std::size_t at) {
    return at == kNone ? std::string_view{} : fields[at];
  };

  std::int64_t rows = 0;
  std::int64_t left_out = 0;
  std::unordered_set<std::int64_t> of_test;
  while (lines.next(line)) {
    const auto fields = split_fields(line, '\t');
    if (fields.size() < columns.wanted) {
      LONGCONV_CHECK(task.drops_short && !is_test(part), DataError,
                     "{}: {} fields between tabs, expected {} or more", lines.where(),
                     fields.size(), columns.wanted);
      ++left_out;
      continue;
    }
    GlueRow row;
    row.index = columns.id == kNone ? rows : parse_index(fields[columns.id], lines.where());
    // Submissions name the rows of a test by their indices.
    LONGCONV_CHECK(!is_test(part) || of_test.insert(row.index).second, DataError,
                   "{}: index {} a second time", lines.where(), row.index);
    row.first = field(fields, columns.first);
    row.second = field(fields, columns.second);
    row.first_id = field(fields, columns.first_id);
    row.second_id = field(fields, columns.second_id);
    const std::string_view label = field(fields, columns.label);
    if (columns.label != kNone && label == "-") {
      ++left_out;
      continue;
    }
    if (columns.label != kNone && task.labels.empty()) {
      row.score = parse_score(label, lines.where());
    } else if (columns.label != kNone) {
      const auto at = std::find(task.labels.begin(), task.labels.end(), label);
      LONGCONV_CHECK(at != task.labels.end(), DataError, "{}: label \"{:.40}\", expected {}",
                     lines.where(), label, fmt::join(task.labels, ", "));
      row.label = at - task.labels.begin();
    }
    handle(row);
    ++rows;
  }
  LONGCONV_CHECK(rows > 0, DataError, "{}: no rows", path);
  return left_out;
}

GluePairs parse_glue_pairs(std::string_view text, const std::string& path) {
  GluePairs pairs;
  for_each_text_line(text, path, [&](std::string_view line, const std::string& where) {
    const auto fields = split_fields(line, '\t');
    LONGCONV_CHECK(fields.size() == 2, DataError, "{}: {} fields between tabs, expected two ids",
                   where, fields.size());
    pairs.emplace(fields[0], fields[1]);
  });
  return pairs;
}

}  // namespace longconv::data
