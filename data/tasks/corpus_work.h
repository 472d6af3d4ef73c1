// "<out>.partial": a corpus in the making.
//
//   plan.json             what is made of what; the same for every process that takes part
//   part-1-of-4.lock      held by a living process
//   units/00012.json      a finished unit (UnitRecord); written after its shards
//   bad/00012.jsonl       the lines it left out
//   corpus/               becomes the corpus: tokenizer/, train/, validation/
#pragma once

#include "core/files/lock_file.h"
#include "data/tasks/corpus_manifest.h"
#include "data/tasks/corpus_sources.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

class CorpusWork {
 public:
  /// Opens or begins the work. `plan` is JSON. Throws DataError if there are finished units of
  /// another plan, EnvironmentError if another process does this part.
  CorpusWork(const std::filesystem::path& out, const std::string& plan, std::int64_t part,
             std::int64_t parts);
  /// Removes the folder if no unit has been finished in it and there is one part only.
  ~CorpusWork();
  CorpusWork(const CorpusWork&) = delete;
  CorpusWork& operator=(const CorpusWork&) = delete;

  /// Removes what is left of the work where a process was killed between its last two acts: the
  /// corpus is in its place, and there is nothing more to do.
  static void remove_completed(const std::filesystem::path& out);

  [[nodiscard]] std::filesystem::path corpus() const { return folder_ / "corpus"; }
  [[nodiscard]] std::filesystem::path bad_lines(std::int64_t unit) const;
  static std::string unit_name(std::int64_t unit);

  /// The unit's record, if it is finished and its shards are there and its sources are what they
  /// were: unchanged since, or else of the same content.
  [[nodiscard]] std::optional<UnitRecord> finished(std::int64_t unit,
                                                   std::span<const CorpusSource> sources) const;
  void finish(std::int64_t unit, const UnitRecord& record) const;

  /// Removes what `manifest` does not name, writes it and the list of bad lines, and renames the
  /// corpus to `out`. False if another process does the same now or has done it.
  bool complete(const Manifest& manifest, std::int64_t units, const std::filesystem::path& out);

 private:
  [[nodiscard]] std::filesystem::path record_path(std::int64_t unit) const;
  void remove_strays(const Manifest& manifest) const;
  void join_bad_lines(std::int64_t units) const;

  std::filesystem::path folder_;
  bool only_part_;
  std::unique_ptr<files::LockFile> lock_;
};

}  // namespace longconv::data
