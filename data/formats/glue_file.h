// The TSV files of the GLUE benchmark (Wang et al., arXiv:1804.07461; layouts in data.md 5.1).
//
// All are separated by tabs, quotes are plain characters, and columns are found by the header's
// names: MNLI's dev file has five labels before the gold one, STS-B's source columns hold odd text,
// MRPC begins with a byte order mark. CoLA's train and dev have no header.
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace longconv::data {

/// A file of a task and the part of the data set that it is.
struct GluePart {
  std::string_view part;        ///< train, validation, validation_mismatched, test, ...
  std::string_view file;        ///< name in the task's folder
  std::string_view submission;  ///< name of the file of predictions; empty but for tests
};

struct GlueTask {
  std::string_view name;    ///< cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli, ax
  std::string_view folder;  ///< of the published bundle
  /// Names of the columns; alternatives between '|'. An empty second is a task of single sentences.
  std::string_view first;
  std::string_view second;
  std::string_view label;
  std::string_view id;
  /// Words of the labels as the files have them; a label's id is its place, as Hugging Face counts.
  /// Empty: the label is a score from 0 to 5.
  std::span<const std::string_view> labels;
  std::span<const GluePart> parts;
  bool headerless = false;   ///< but for the test: columns are source, label, mark, sentence
  bool drops_short = false;  ///< lines that lack a field are left out (QQP), but not of the test
};

std::span<const GlueTask> glue_tasks();
/// Throws DataError naming all tasks if there is none of that name.
const GlueTask& glue_task(std::string_view name);

/// One line; views into the text.
struct GlueRow {
  std::int64_t index = 0;   ///< of a test: what a submission names; else the row's number from 0
  std::int64_t label = -1;  ///< -1: none
  double score = -1.0;      ///< of STS-B
  std::string_view first;
  std::string_view second;
  std::string_view first_id;  ///< of MRPC
  std::string_view second_id;
};

/// Calls `handle` for each row of a file of `part`. Returns how many lines were left out: those of
/// `drops_short` tasks that lack a field, and those whose label is "-" (MNLI without agreement).
/// Throws DataError with `path` and line: columns that are missing from the header, a line that
/// lacks a field, an unknown label, a score outside 0 to 5, bytes that are not UTF-8, no rows.
std::int64_t parse_glue(std::string_view text, const std::string& path, const GlueTask& task,
                        std::string_view part, const std::function<void(const GlueRow&)>& handle);

/// Pairs of sentences by their ids, as Microsoft's dev_ids.tsv lists those of MRPC that validate:
/// lines of two ids between a tab. Throws DataError with `path` and line for other lines.
using GluePairs = std::set<std::pair<std::string, std::string>>;
GluePairs parse_glue_pairs(std::string_view text, const std::string& path);

}  // namespace longconv::data
