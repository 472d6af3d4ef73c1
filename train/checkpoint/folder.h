// Checkpoint folders on disk (no LibTorch here):
//
//   checkpoints/step_0001000/{model.safetensors, optimizer.safetensors, state.json, COMPLETE}
//   checkpoints/latest, checkpoints/best      relative links to such folders
//
// A folder is written as step_N.tmp-<pid>; its files and itself are fsynced; COMPLETE, with the
// size and CRC-32C of each file, comes last; then it is renamed. So a folder under its final name
// is whole, or a disk has lost something, which COMPLETE shows. Links are swapped by rename.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::train {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kCompleteFile = "COMPLETE";

/// "step_0001000".
std::string step_name(std::int64_t step);
/// The step in a name that step_name() gives, or -1.
std::int64_t step_of(const std::string& name);

/// A folder being written. Destroyed without publish(), it is removed.
class CheckpointWriter {
 public:
  /// Makes `checkpoints` and step_N.tmp-<pid> in it. Throws EnvironmentError.
  CheckpointWriter(std::filesystem::path checkpoints, std::int64_t step);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Where the files go until publish().
  [[nodiscard]] const std::filesystem::path& folder() const { return temporary_; }
  /// Writes COMPLETE, fsyncs the folder, renames. The files must have been written through
  /// files::AtomicFile, which has fsynced each. What stands under the final name (a damaged
  /// folder) is moved aside to step_N.old-K. Returns the final folder. Throws EnvironmentError.
  std::filesystem::path publish();

 private:
  std::filesystem::path checkpoints_;
  std::filesystem::path temporary_;
  std::string name_;
};

/// Removes what dead processes left half-written in `folder` (NAME.tmp-<pid>). Call it only while
/// holding the run folder's lock.
void remove_leftovers(const std::filesystem::path& folder);

/// Empty if `folder` is a whole checkpoint (every file that COMPLETE lists has its size and
/// CRC-32C, and it lists the three files above), else what is wrong with it. Reads every byte.
std::string find_damage(const std::filesystem::path& folder);

/// Steps of the folders named step_N in `checkpoints`, ascending; whole or not.
std::vector<std::int64_t> list_steps(const std::filesystem::path& checkpoints);

/// The newest whole checkpoint in `checkpoints`, or an empty path. Damaged ones are reported with
/// log::warn and left as they are.
std::filesystem::path newest_whole(const std::filesystem::path& checkpoints);

/// Points checkpoints/`link` ("latest", "best") at the folder of `step`, atomically.
void set_link(const std::filesystem::path& checkpoints, const std::string& link, std::int64_t step);

/// Removes whole folders but the newest `keep_last` and `best_step` (-1 = none), and what dead
/// processes left half-written. Damaged folders are not counted and stay.
void prune(const std::filesystem::path& checkpoints, std::int64_t keep_last,
           std::int64_t best_step);

/// What a user may name, resolved to a checkpoint folder: a checkpoint, or a run folder (its best,
/// else its latest, else its newest whole checkpoint). Throws CheckpointError if there is none or
/// it is damaged.
std::filesystem::path find_checkpoint(const std::filesystem::path& folder);

}  // namespace longconv::train
