// Which files a corpus is made of, and which part of each is for training.
#pragma once

#include "data/formats/documents.h"
#include "data/tasks/corpus_manifest.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

enum class Split { train, validation };

struct CorpusSource {
  std::filesystem::path path;
  std::string name;  ///< for the manifest: the file's name, or its path below the folder given
  DocumentFormat format = DocumentFormat::text;
  std::int64_t bytes = 0;  ///< of the file
  std::int64_t cut = 0;    ///< bytes [0, cut) train, the rest validates; 0 or all but for a holdout
  /// Its line in the manifest.
  [[nodiscard]] ManifestSource entry(const std::string& sha256) const;
};

/// Lists and cuts the sources. "-" is standard input, copied into `scratch` first: JSONL if it
/// begins with '{', else one text.
///
/// A file named by `validation` too is validation only. `holdout` "NAME=SHARE" gives the last SHARE
/// of the bytes of the .txt file NAME to validation, the cut moved back to the beginning of a
/// character. Throws UsageError (holdout that fits no file, or several), DataError,
/// EnvironmentError.
std::vector<CorpusSource> find_sources(const std::vector<std::string>& sources,
                                       const std::vector<std::string>& validation,
                                       const std::vector<std::string>& holdout,
                                       const std::filesystem::path& scratch);

}  // namespace longconv::data
