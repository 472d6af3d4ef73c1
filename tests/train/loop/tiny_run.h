// Corpora and runs small enough that a test can train them a dozen times. No LibTorch here.
#pragma once

#include "tests/support/temp_folder.h"
#include "train/loop/trainer.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace longconv::train::testing {

/// A corpus of bytes in `folder`: `train_bytes` of babble for training, 300 for validation. Another
/// `seed` is another corpus. One document, or one a line.
void make_corpus(const std::filesystem::path& folder, std::size_t train_bytes = 4000, int seed = 1,
                 bool lines = false);

/// A folder with a corpus and runs of a model with two layers, one of them with dropout everywhere.
class TinyRuns {
 public:
  TinyRuns();
  [[nodiscard]] const std::filesystem::path& path() const { return temp_.path(); }
  [[nodiscard]] std::filesystem::path run(const std::string& name) const { return temp_ / name; }
  [[nodiscard]] std::filesystem::path checkpoints(const std::string& name) const {
    return run(name) / "checkpoints";
  }
  /// The TOML of every run here: 20 steps, 8 windows of 16 bytes.
  [[nodiscard]] const std::filesystem::path& config() const { return config_; }
  /// Overrides for a classifier instead: LongConv on 90 images of 4 x 4 pixels, of two classes that
  /// differ in brightness.
  [[nodiscard]] std::vector<std::string> images() const;
  /// And for a regressor: LongConv on 12 series of 40 steps and 3 channels.
  [[nodiscard]] std::vector<std::string> series() const;
  /// Trains in run(name) with overrides "a.b=value".
  Outcome train(const std::string& name, const std::vector<std::string>& overrides = {}) const;

 private:
  ::longconv::testing::TempFolder temp_;
  std::filesystem::path config_;
};

/// All bytes of all tensors of a safetensors file, by name.
std::map<std::string, std::string> tensors_of(const std::filesystem::path& file);
/// Tensors whose bytes differ, or that only one file has.
std::vector<std::string> differing_tensors(const std::filesystem::path& a,
                                           const std::filesystem::path& b);

}  // namespace longconv::train::testing
