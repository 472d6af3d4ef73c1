// From weights that others wrote to a model folder: source.h reads, repairs.h names, *_facts.h
// finds the configuration, and here every tensor is checked against the model and written.
//
// Tensors go from the mapped source to the file as they are; only those that are not float32 or not
// contiguous, or were joined, take memory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longconv::models {

struct ImportOptions {
  std::filesystem::path source;        ///< file or folder
  std::vector<std::string> overrides;  ///< "model.filter.shift=0.0"
  /// Names or patterns with * of tensors that may be missing (then initialised), left over or of
  /// the wrong shape (then dropped).
  std::vector<std::string> allow;
};

/// What an import found and did; every list in the words to show.
struct ImportReport {
  std::string file;                    ///< that was read
  std::vector<std::string> checksums;  ///< of it, and of its shards
  std::string layout;
  std::string family;
  std::string published;  ///< the published model it was recognised as, or empty
  std::string tokenizer;  ///< the name data::open_tokenizer takes, or empty
  std::int64_t parameters = 0;
  std::vector<std::string> repaired;     ///< names
  std::vector<std::string> inferred;     ///< configuration, from tensors or config.json
  std::vector<std::string> defaulted;    ///< configuration that the source does not settle
  std::vector<std::string> converted;    ///< tensors whose dtype changed
  std::vector<std::string> dropped;      ///< tensors and other values
  std::vector<std::string> initialised;  ///< missing tensors, allowed
  std::vector<std::string> not_finite;   ///< tensors with NaN or infinity
  std::vector<std::string> ignored;      ///< other files of the source folder
};

/// Writes model.safetensors, README.md and config.toml into `folder`, which exists. Throws
/// CheckpointError naming the tensor that is missing, left over, of the wrong shape or unreadable;
/// ConfigError for an override; EnvironmentError (disk).
ImportReport import_weights(const ImportOptions& options, const std::filesystem::path& folder);

}  // namespace longconv::models
