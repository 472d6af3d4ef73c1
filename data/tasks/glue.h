// GLUE (arXiv:1804.07461) from its TSV files to batches, and from predictions to the files that its
// server takes.
//
// A shard holds the WordPiece ids of each sentence without special tokens and uncut; the data set
// puts [CLS] A [SEP] or [CLS] A [SEP] B [SEP] together (data/tokenizers/bert_pair.h).
#pragma once

#include "core/config/section.h"
#include "data/formats/glue_file.h"
#include "data/formats/sample_shard.h"
#include "data/loader/loader.h"
#include "data/tasks/labelled.h"
#include "data/tasks/sample_facts.h"
#include "data/tokenizers/bert_pair.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace longconv::data {

struct GlueFilesConfig : config::Section {
  explicit GlueFilesConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "A GLUE task as published") {}
  config::Key<std::string> task{this, "task", "",
                                config::one_of({"", "cola", "sst2", "mrpc", "stsb", "qqp", "mnli",
                                                "qnli", "rte", "wnli", "ax"}),
                                "which; it must be given"};
  config::Key<std::string> tokenizer{this, "tokenizer", "bert",
                                     "a WordPiece tokenizer, by name or path"};
};

/// `folder` is the task's folder or the bundle's, e.g. glue_data. Train and dev files must be there
/// (of AX one file), test files may be missing. MRPC also as Microsoft's two files with the
/// bundle's dev_ids.tsv. Columns of the shard: label (-1 in tests and for scores), index, and for
/// STS-B score_thousandths.
Written prepare_glue(const GlueFilesConfig& config, const std::filesystem::path& folder,
                     const std::filesystem::path& out, std::int64_t threads);

struct GlueConfig : config::Section {
  explicit GlueConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "A GLUE shard, and what is read of it") {}
  config::Key<std::string> path{this, "path", "",
                                "sample shard (.lcs) that `longconv data prepare glue` wrote"};
  config::Key<std::string> part{
      this, "part", "train",
      config::one_of({"train", "validation", "validation_mismatched", "test", "test_mismatched"}),
      "what is read"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 128, config::at_least(std::int64_t{3}),
                                    "tokens of a sample, special ones and padding included"};
};

/// Batches: input (B, L) int64, padded on the right with [PAD]; types (B, L) int64, 0 to the first
/// [SEP], 1 after it, 0 again in the padding; lengths (B); target (B) int64, of STS-B float32.
class GlueDataset final : public Dataset {
 public:
  /// Throws ConfigError for a part that is not there, DataError for a damaged or foreign shard.
  explicit GlueDataset(const GlueConfig& config);
  [[nodiscard]] std::int64_t size() const override { return end_ - begin_; }
  [[nodiscard]] std::int64_t seq_len() const override { return seq_len_; }
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] const GlueTask& task() const { return *task_; }
  [[nodiscard]] std::int64_t vocab_size() const { return shard_.view().layout().vocabulary; }
  /// What a submission calls the sample.
  [[nodiscard]] std::int64_t submission_index(std::int64_t sample) const;

 private:
  [[nodiscard]] std::int64_t shard_sample(std::int64_t index) const;
  SampleShard shard_;
  const GlueTask* task_ = nullptr;
  BertSpecials specials_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::int64_t seq_len_;
};

/// A part of a shard; nullptr if the shard has none of that name. Throws as GlueDataset does.
std::shared_ptr<const GlueDataset> open_glue_part(const std::string& path, const std::string& part,
                                                  std::int64_t seq_len);

/// Writes `folder`/<name of the task's part>: "index<TAB>prediction", a header and a line a sample,
/// in the data's order. `predictions` are label ids, for STS-B scores, which are clipped to 0..5
/// and written with 3 decimals; labels are written as words where the task has words. Throws
/// DataError: the part is no test, their number is not the data's, a label that is none.
std::filesystem::path write_glue_submission(const std::filesystem::path& folder,
                                            const GlueDataset& data, std::string_view part,
                                            std::span<const double> predictions);

}  // namespace longconv::data
