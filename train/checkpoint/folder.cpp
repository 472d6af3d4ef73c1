#include "train/checkpoint/folder.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "core/files/mapped_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

namespace longconv::train {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPrefix = "step_";
constexpr const char* kTemporary = ".tmp-";

[[noreturn]] void fail_system(const std::string& what, int error) {
  throw EnvironmentError(fmt::format("{}: {}", what, std::strerror(error)));
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail_system(fmt::format("renaming {} to {}", from.string(), to.string()), errno);
  }
}

struct FileSum {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
};

FileSum sum_of(const fs::path& path) {
  const files::MappedFile file(path);
  file.advise_sequential();
  return {file.bytes().size(), files::crc32c(file.bytes())};
}

/// The process id in "NAME.tmp-PID", or -1.
long writer_of(const std::string& name) {
  const std::size_t at = name.find(kTemporary);
  if (at == std::string::npos) return -1;
  const std::string digits = name.substr(at + std::strlen(kTemporary));
  const bool number = !digits.empty() && digits.size() < 10 &&
                      digits.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stol(digits) : -1;
}

/// Removes a folder so that a kill in between leaves no damaged step_N, only a .tmp- of ours.
void remove_checkpoint(const fs::path& checkpoints, const std::string& name) {
  const fs::path doomed = checkpoints / (name + kTemporary + std::to_string(::getpid()));
  std::error_code error;
  fs::remove_all(doomed, error);
  rename_or_throw(checkpoints / name, doomed);
  fs::remove_all(doomed, error);
  if (error) log::warn("{}: could not be removed: {}", doomed.string(), error.message());
}

}  // namespace

std::string step_name(std::int64_t step) { return fmt::format("{}{:07}", kPrefix, step); }

std::int64_t step_of(const std::string& name) {
  const std::size_t start = std::strlen(kPrefix);
  if (name.rfind(kPrefix, 0) != 0 || name.size() > start + 18 || name.size() == start ||
      name.find_first_not_of("0123456789", start) != std::string::npos) {
    return -1;
  }
  const std::int64_t step = std::stoll(name.substr(start));
  return step_name(step) == name ? step : -1;
}

CheckpointWriter::CheckpointWriter(fs::path checkpoints, std::int64_t step)
    : checkpoints_(std::move(checkpoints)), name_(step_name(step)) {
  files::create_folders(checkpoints_);
  remove_leftovers(checkpoints_);
  temporary_ = checkpoints_ / (name_ + kTemporary + std::to_string(::getpid()));
  files::create_folders(temporary_);
}

CheckpointWriter::~CheckpointWriter() {
  std::error_code error;
  if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

fs::path CheckpointWriter::publish() {
  nlohmann::json files_json = nlohmann::json::object();
  for (const auto& entry : fs::directory_iterator(temporary_)) {
    const FileSum sum = sum_of(entry.path());
    files_json[entry.path().filename().string()] = {{"bytes", sum.bytes},
                                                    {"crc32c", fmt::format("{:08x}", sum.crc)}};
  }
  files::write_atomic(temporary_ / kCompleteFile,
                      nlohmann::json{{"files", files_json}}.dump(1) + "\n");
  files::sync_folder(temporary_);

  const fs::path final_path = checkpoints_ / name_;
  std::error_code error;
  if (fs::exists(final_path, error)) {
    int k = 1;
    while (fs::exists(checkpoints_ / fmt::format("{}.old-{}", name_, k), error)) ++k;
    rename_or_throw(final_path, checkpoints_ / fmt::format("{}.old-{}", name_, k));
  }
  rename_or_throw(temporary_, final_path);
  temporary_.clear();
  files::sync_folder(checkpoints_);
  return final_path;
}

void remove_leftovers(const fs::path& folder) {
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const long writer = writer_of(entry.path().filename().string());
    if (writer <= 0) continue;
    // The run folder's lock is ours, so what carries our own id is from an earlier process.
    const bool dead = ::kill(static_cast<pid_t>(writer), 0) != 0 && errno == ESRCH;
    if (dead || writer == ::getpid()) leftovers.push_back(entry.path());
  }
  for (const fs::path& path : leftovers) fs::remove_all(path, error);
}

std::string find_damage(const fs::path& folder) {
  const fs::path complete = folder / kCompleteFile;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return "there is no such folder";
  if (!fs::exists(complete, error)) return "it has no COMPLETE; its writing was interrupted";
  try {
    const nlohmann::json document = nlohmann::json::parse(files::read_text(complete, 1UL << 20));
    std::set<std::string> missing = {kModelFile, kOptimizerFile, kStateFile};
    for (const auto& [name, entry] : document.at("files").items()) {
      const fs::path path = folder / name;
      if (!fs::is_regular_file(path, error)) return fmt::format("{} is missing", name);
      const FileSum sum = sum_of(path);
      const auto bytes = entry.at("bytes").get<std::uint64_t>();
      const auto crc = entry.at("crc32c").get<std::string>();
      if (sum.bytes != bytes) {
        return fmt::format("{} has {} bytes, COMPLETE says {}", name, sum.bytes, bytes);
      }
      if (const std::string came = fmt::format("{:08x}", sum.crc); came != crc) {
        return fmt::format("{} has CRC-32C {}, COMPLETE says {}", name, came, crc);
      }
      missing.erase(name);
    }
    if (!missing.empty()) return fmt::format("COMPLETE does not list {}", *missing.begin());
  } catch (const nlohmann::json::exception&) {
    return "COMPLETE is torn or no JSON of ours";
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

std::vector<std::int64_t> list_steps(const fs::path& checkpoints) {
  std::vector<std::int64_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints, error)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (step >= 0 && entry.is_directory(error) && !entry.is_symlink(error)) out.push_back(step);
  }
  std::sort(out.begin(), out.end());
  return out;
}

fs::path newest_whole(const fs::path& checkpoints) {
  const std::vector<std::int64_t> steps = list_steps(checkpoints);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    fs::path folder = checkpoints / step_name(*step);
    const std::string damage = find_damage(folder);
    if (damage.empty()) return folder;
    log::warn("{}: not used: {}; it is left as it is", folder.string(), damage);
  }
  return {};
}

void set_link(const fs::path& checkpoints, const std::string& link, std::int64_t step) {
  const fs::path temporary = checkpoints / fmt::format("{}{}{}", link, kTemporary, ::getpid());
  std::error_code error;
  fs::remove(temporary, error);
  if (::symlink(step_name(step).c_str(), temporary.c_str()) != 0) {
    throw EnvironmentError(fmt::format(
        "{}: cannot link {} to {}: {}; give permission or make room there, or train into another "
        "folder (run.dir=...)",
        checkpoints.string(), link, step_name(step), std::strerror(errno)));
  }
  rename_or_throw(temporary, checkpoints / link);
  files::sync_folder(checkpoints);
}

void prune(const fs::path& checkpoints, std::int64_t keep_last, std::int64_t best_step) {
  remove_leftovers(checkpoints);
  const std::vector<std::int64_t> steps = list_steps(checkpoints);
  std::int64_t kept = 0;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const fs::path folder = checkpoints / step_name(*step);
    // Whole was checked when it was read or written; here the presence of COMPLETE is enough.
    std::error_code error;
    if (!fs::exists(folder / kCompleteFile, error)) continue;
    if (kept++ < keep_last || *step == best_step) continue;
    remove_checkpoint(checkpoints, step_name(*step));
  }
}

fs::path find_checkpoint(const fs::path& folder) {
  std::error_code error;
  fs::path found = folder;
  const fs::path checkpoints = folder / "checkpoints";
  if (fs::is_directory(checkpoints, error)) {
    found.clear();
    for (const char* link : {"best", "latest"}) {
      if (found.empty() && fs::is_directory(checkpoints / link, error)) {
        found = fs::weakly_canonical(checkpoints / link, error);
      }
    }
    if (found.empty()) found = newest_whole(checkpoints);
    LONGCONV_CHECK(!found.empty(), CheckpointError,
                   "{}: this run has no whole checkpoint yet; train on, or name another folder",
                   folder.string());
  }
  if (const std::string damage = find_damage(found); !damage.empty()) {
    throw CheckpointError(
        fmt::format("{}: expected a checkpoint folder or a run folder with one, but {}",
                    found.string(), damage));
  }
  return found;
}

}  // namespace longconv::train
