// Brain activity (fMRI) as a series of many channels, the next step to be predicted from those
// before (Thomas et al. 2022; the long-convolution paper; data.md 3.4). Loss and metric are the
// mean absolute error over the steps and channels that were measured.
#pragma once

#include "core/config/section.h"
#include "data/formats/hdf5_series.h"
#include "data/loader/loader.h"
#include "data/tasks/brain_config.h"
#include "data/tasks/pathfinder.h"  // Generated

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

/// An epoch shows a window of each run of the part; runs are split, never windows. Batches:
///   input    (B, L, C) float32, 0 where nothing was measured and behind a window's end
///   target   (B, L, C) float32, the step after, NaN where it does not count
///   lengths  (B)
class BrainSeries final : public Dataset {
 public:
  /// Throws ConfigError; DataError with file and place for shapes that do not fit, values that are
  /// not finite, and runs with fewer than two steps.
  explicit BrainSeries(const BrainSeriesConfig& config);
  /// The runs `members` of a file that was read, which several data sets may share; windows of at
  /// most `max_len` steps. `training`: draw() cuts other windows in each epoch.
  BrainSeries(const BrainKeys& config, std::shared_ptr<const Series> series,
              std::vector<std::int64_t> members, std::int64_t max_len, bool training);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  [[nodiscard]] std::int64_t channels() const { return series_->channels; }

 private:
  BrainSeries(const BrainSeriesConfig& config, const std::shared_ptr<const Series>& series);
  /// Steps [begin, begin + length] of a run: one more than are shown.
  struct Window {
    std::int64_t run;
    std::int64_t begin;
    std::int64_t length;
  };
  [[nodiscard]] Window window(std::int64_t index, std::uint64_t key, bool longest) const;
  [[nodiscard]] Batch batch_of(const std::vector<Window>& windows) const;
  std::shared_ptr<const Series> series_;
  std::vector<std::int64_t> members_;  // runs of the part
  std::int64_t min_len_;
  std::int64_t max_len_;
  bool train_;
};

/// All runs of a file .h5, .hdf5 or .npy, checked, each channel of each run brought to mean 0 and
/// deviation 1 if `standardise`. Throws DataError, also for another ending.
std::shared_ptr<const Series> read_brain_file(const std::filesystem::path& path, bool standardise);

/// What a model must beat: the mean absolute error over get() of the whole data set of predicting 0
/// (the mean), and of predicting the last value again.
struct SeriesBaselines {
  double zero = 0.0;
  double last_value = 0.0;
  double variance = 0.0;  ///< mean square of the targets, for R^2 = 1 - mean square error / it
  std::int64_t targets = 0;
};
SeriesBaselines series_baselines(const BrainSeries& data);

/// Sources that are AR(2) processes, a_t = phi1 a_{t-1} + phi2 a_{t-2} + e_t, e_t normal, mixed
/// into channels by one random matrix: all that can be known of the next step is known.
struct BrainGeneratorConfig : config::Section {
  explicit BrainGeneratorConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Series of mixed AR(2) sources, generated") {}
  config::Key<std::int64_t> runs{this, "runs", 100,
                                 config::between(std::int64_t{1}, std::int64_t{1} << 20), "series"};
  config::Key<std::int64_t> length{this, "length", 200,
                                   config::between(std::int64_t{2}, std::int64_t{1} << 20),
                                   "steps of each"};
  config::Key<std::int64_t> channels{this, "channels", 64,
                                     config::between(std::int64_t{1}, std::int64_t{4096}),
                                     "channels, and as many sources"};
  config::Key<std::int64_t> seed{this, "seed", 2222, config::at_least(std::int64_t{0}),
                                 "run i is a pure function of (seed, i) and the keys here"};
};

struct Ar2Source {
  double phi1 = 0.0;
  double phi2 = 0.0;
  [[nodiscard]] double variance() const;  ///< of a_t, where e_t has 1
};

std::vector<Ar2Source> brain_sources(const BrainGeneratorConfig& config);
/// [channels, sources], row by row.
std::vector<double> brain_mixing(const BrainGeneratorConfig& config);
/// One run [length, channels].
std::vector<float> brain_run(const BrainGeneratorConfig& config, std::int64_t run);
/// The mean absolute error of the best predictor there can be, for channels of deviation 1.
double brain_best_error(const BrainGeneratorConfig& config);
/// An HDF5 file as hdf5_series.h describes it.
Generated write_brain_series(const BrainGeneratorConfig& config, const std::filesystem::path& path,
                             std::int64_t threads);

}  // namespace longconv::data
