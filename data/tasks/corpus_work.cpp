#include "data/tasks/corpus_work.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "core/files/mapped_file.h"
#include "data/formats/token_shard.h"
#include "data/tasks/corpus_unit.h"
#include "data/tasks/prepare.h"

#include <fmt/format.h>

#include <set>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

constexpr char kPlanFile[] = "plan.json";
constexpr char kUnits[] = "units";

bool any_unit(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder / kUnits, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".json") return true;
  }
  return false;
}

bool has_size(const fs::path& path, std::int64_t bytes) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return !error && static_cast<std::int64_t>(size) == bytes;
}

}  // namespace

CorpusWork::CorpusWork(const fs::path& out, const std::string& plan, std::int64_t part,
                       std::int64_t parts)
    : folder_(out.string() + ".partial"), only_part_(parts == 1) {
  files::create_folders(folder_ / kUnits);
  lock_ =
      std::make_unique<files::LockFile>(folder_ / fmt::format("part-{}-of-{}.lock", part, parts));
  const fs::path path = folder_ / kPlanFile;
  std::error_code error;
  if (fs::exists(path, error) && files::read_text(path) != plan) {
    LONGCONV_CHECK(!any_unit(folder_), DataError,
                   "{}: holds unfinished work from other sources or with other options; finish it "
                   "with those, or remove this folder",
                   folder_.string());
    for (const char* name : {"corpus", "bad"}) fs::remove_all(folder_ / name, error);
    fs::remove(path, error);
  }
  if (!fs::exists(path, error)) files::write_atomic(path, plan);
  files::create_folders(folder_ / "bad");
  files::create_folders(corpus());
}

CorpusWork::~CorpusWork() {
  std::error_code error;
  if (only_part_ && !any_unit(folder_)) fs::remove_all(folder_, error);
}

void CorpusWork::remove_completed(const fs::path& out) {
  const fs::path folder = out.string() + ".partial";
  std::error_code error;
  if (!fs::exists(folder / "corpus", error)) fs::remove_all(folder, error);
}

std::string CorpusWork::unit_name(std::int64_t unit) { return fmt::format("{:05}", unit); }

fs::path CorpusWork::bad_lines(std::int64_t unit) const {
  return folder_ / "bad" / (unit_name(unit) + ".jsonl");
}

fs::path CorpusWork::record_path(std::int64_t unit) const {
  return folder_ / kUnits / (unit_name(unit) + ".json");
}

std::optional<UnitRecord> CorpusWork::finished(std::int64_t unit,
                                               std::span<const CorpusSource> sources) const {
  const fs::path path = record_path(unit);
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  UnitRecord record = parse_unit(files::read_text(path), path.string());
  bool fine = record.sources.size() == sources.size();
  for (const ManifestSplit* split : {&record.train, &record.validation}) {
    for (const ManifestShard& shard : split->shards) {
      fine = fine && has_size(corpus() / shard.file, shard.bytes);
    }
  }
  for (std::size_t i = 0; fine && i < sources.size(); ++i) {
    fine = record.sources[i].name == sources[i].name &&
           record.sources[i].bytes == sources[i].bytes &&
           (record.modified_ns[i] == modified_ns(sources[i].path) ||
            record.sources[i].sha256 == files::hex(files::sha256_file(sources[i].path)));
  }
  if (fine) return record;
  log::info("{}: made from something else than what is there now; made again", path.string());
  fs::remove(path, error);
  return std::nullopt;
}

void CorpusWork::finish(std::int64_t unit, const UnitRecord& record) const {
  files::write_atomic(record_path(unit), to_json(record));
}

/// What killed processes left: shards of units that were begun and never finished under the same
/// names, temporary files, a manifest that was not followed by the rename.
void CorpusWork::remove_strays(const Manifest& manifest) const {
  std::set<fs::path> wanted = {corpus() / "tokenizer", corpus() / "train", corpus() / "validation"};
  for (const ManifestSplit* split : {&manifest.train, &manifest.validation}) {
    for (const ManifestShard& shard : split->shards) {
      wanted.insert(corpus() / shard.file);
      wanted.insert(index_path(corpus() / shard.file));
    }
  }
  std::vector<fs::path> strays;
  for (const fs::path& folder : {corpus(), corpus() / "train", corpus() / "validation"}) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (wanted.count(entry->path()) == 0) strays.push_back(entry->path());
    }
  }
  std::error_code error;
  for (const fs::path& stray : strays) fs::remove_all(stray, error);
}

void CorpusWork::join_bad_lines(std::int64_t units) const {
  std::unique_ptr<files::AtomicFile> all;
  for (std::int64_t unit = 0; unit < units; ++unit) {
    std::error_code error;
    if (!fs::exists(bad_lines(unit), error)) continue;
    if (all == nullptr) all = std::make_unique<files::AtomicFile>(corpus() / kBadLinesFile);
    all->write(files::MappedFile(bad_lines(unit)).bytes());
  }
  if (all != nullptr) all->commit();
}

bool CorpusWork::complete(const Manifest& manifest, std::int64_t units, const fs::path& out) {
  std::unique_ptr<files::LockFile> completing;
  try {
    completing = std::make_unique<files::LockFile>(folder_ / "complete.lock");
  } catch (const EnvironmentError&) {
    if (only_part_) throw;
    return false;  // held, or gone with the folder
  }
  if (has_manifest(out)) return false;
  remove_strays(manifest);
  join_bad_lines(units);
  files::write_atomic(corpus() / kManifestFile, manifest.to_json());
  files::sync_folder(corpus());
  std::error_code error;
  fs::rename(corpus(), out, error);
  LONGCONV_CHECK(!error, EnvironmentError, "{}: the finished corpus cannot be put there: {}",
                 out.string(), error.message());
  files::sync_folder(out.parent_path());
  fs::remove_all(folder_, error);
  return true;
}

}  // namespace longconv::data
