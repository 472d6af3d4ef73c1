// The run folder of one training run: who may write it and what stands in it besides checkpoints.
#pragma once

#include "core/files/lock_file.h"
#include "data/tokenizers/tokenizer.h"
#include "train/config.h"
#include "train/loop/trainer.h"

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

/// Held by the process that trains in the folder; log messages also go to its log.txt meanwhile.
class LockedRun {
 public:
  /// Makes the folder, locks it and clears what dead processes left half-written. Throws
  /// EnvironmentError if it is not writable or a live process trains in it.
  explicit LockedRun(const std::filesystem::path& folder);
  ~LockedRun();
  LockedRun(const LockedRun&) = delete;
  LockedRun& operator=(const LockedRun&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }

  /// Writes config.toml (resolved), overrides.txt, environment.json and tokenizer/. `facts` are
  /// further members of environment.json.
  void describe(const RunConfig& config, const Launch& launch, const data::Tokenizer* tokenizer,
                const std::vector<std::pair<std::string, std::string>>& facts) const;

 private:
  std::filesystem::path path_;
  files::LockFile lock_;
  std::function<void()> stop_log_;
};

}  // namespace longconv::train
