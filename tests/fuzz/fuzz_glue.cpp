// Any bytes either are rows of a GLUE file whose labels are the task's, or are a DataError. The
// first byte chooses the task and the part. And any pairs of ids: accepted or a DataError.
#include "core/base/error.h"
#include "data/formats/glue_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>
#include <limits>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto tasks = longconv::data::glue_tasks();
  const auto& task = tasks[data[0] % tasks.size()];
  const auto& part = task.parts[data[0] / tasks.size() % task.parts.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    std::int64_t rows = 0;
    const std::int64_t left_out = longconv::data::parse_glue(
        text, "input", task, part.part, [&](const longconv::data::GlueRow& row) {
          ++rows;
          promise(row.label >= -1 && row.label < static_cast<std::int64_t>(task.labels.size()),
                  "labels are the task's");
          promise(row.score == -1.0 || (row.score >= 0.0 && row.score <= 5.0), "scores are scores");
          promise(row.index >= 0 && row.index <= std::numeric_limits<std::int32_t>::max(),
                  "indices are indices and fit a shard");
          longconv::fuzz::touch(std::as_bytes(std::span(row.first)));
          longconv::fuzz::touch(std::as_bytes(std::span(row.second)));
        });
    promise(rows > 0 && left_out >= 0, "a file has rows");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  try {
    const auto pairs = longconv::data::parse_glue_pairs(text, "input");
    promise(pairs.size() <= static_cast<std::size_t>(std::count(text.begin(), text.end(), '\t')),
            "a pair has a tab");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
