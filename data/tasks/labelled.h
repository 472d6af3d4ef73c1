// From the files that labelled data sets come in to sample shards: what `longconv data prepare
// TASK` does. Each task has its keys, and throws DataError with file and line or offset for bad
// input.
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

struct Written {
  std::int64_t samples = 0;
  std::int64_t skipped = 0;  ///< left out, with a warning
};

struct PathfinderFilesConfig : config::Section {
  explicit PathfinderFilesConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Pathfinder as the Long Range Arena ships it") {}
  config::Key<double> bad_share{
      this, "bad_share", 0.001, config::between(0.0, 1.0),
      "share of images that may be damaged or empty before it is an error; they are left out. One "
      "always may: the published easy level of 32 pixels has an empty one"};
};

/// `folder` is that of a level, e.g. pathfinder32/curv_contour_length_14.
Written prepare_pathfinder(const PathfinderFilesConfig& config, const std::filesystem::path& folder,
                           const std::filesystem::path& out, std::int64_t threads);

struct CifarConfig : config::Section {
  explicit CifarConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "CIFAR-10, binary version") {}
  config::Key<bool> colour{this, "colour", false, "keep the colours; else grey by their luma"};
};

/// `folder` has data_batch_1.bin to data_batch_5.bin and test_batch.bin.
Written prepare_cifar(const CifarConfig& config, const std::filesystem::path& folder,
                      const std::filesystem::path& out, std::int64_t threads);

struct MnistConfig : config::Section {
  explicit MnistConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "MNIST and Fashion-MNIST, IDX files, gzipped or not") {}
  config::Key<bool> fashion{this, "fashion", false, "name the classes of Fashion-MNIST"};
};

/// `folder` has train-images-idx3-ubyte[.gz] and its three companions.
Written prepare_mnist(const MnistConfig& config, const std::filesystem::path& folder,
                      const std::filesystem::path& out, std::int64_t threads);

/// Of tasks whose samples are texts.
struct TextConfig : config::Section {
  TextConfig(std::string help, std::int64_t longest)
      : Section(nullptr, "", std::move(help)),
        max_length(this, "max_length", longest,
                   config::between(std::int64_t{2}, std::int64_t{1} << 20),
                   "values of a text at most, the end symbol of characters included; what is "
                   "longer is cut") {}
  config::Key<std::string> coding{
      this, "coding", "characters", config::one_of({"characters", "bytes"}),
      "characters of the training part and an end symbol, or bytes (value = byte + 1, no end)"};
  config::Key<std::int64_t> min_frequency{this, "min_frequency", 15,
                                          config::at_least(std::int64_t{1}),
                                          "characters rarer than this in train are unknown"};
  config::Key<std::int64_t> max_length;
};

struct ImdbConfig : TextConfig {
  ImdbConfig() : TextConfig("IMDB reviews, the Text task", 4096) {}
};

/// `folder` has train/ and test/, each with neg/ and pos/ of <id>_<rating>.txt; or train.tsv and
/// test.tsv, a line a review: label (0, 1), tab, text.
Written prepare_imdb(const ImdbConfig& config, const std::filesystem::path& folder,
                     const std::filesystem::path& out, std::int64_t threads);

struct AanConfig : TextConfig {
  AanConfig() : TextConfig("Pairs of AAN papers, the Retrieval task", 4000) {}
  config::Key<bool> allow_duplicates{
      this, "allow_duplicates", false,
      "take a pair of ids that a file has twice, and an id that stands for several texts"};
};

/// `folder` has new_aan_pairs.{train,eval,test}.tsv: label, two ids, two texts; quotes are ordinary
/// characters. Throws DataError with file and line, for duplicate ids among others.
Written prepare_aan(const AanConfig& config, const std::filesystem::path& folder,
                    const std::filesystem::path& out, std::int64_t threads);

/// {"sources": [...]}: the names of what a shard was made from.
std::string sources_json(const std::vector<std::filesystem::path>& sources);

}  // namespace longconv::data
