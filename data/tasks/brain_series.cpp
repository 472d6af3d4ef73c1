#include "data/tasks/brain_series.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "data/tasks/counter_random.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace longconv::data {

namespace {

constexpr float kNotAsked = std::numeric_limits<float>::quiet_NaN();

template <class T>
void copy_values(std::span<const std::byte> bytes, std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value{};
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    out[i] = static_cast<float>(value);
  }
}

Series read_npy_series(const std::filesystem::path& path) {
  const files::MappedFile file(path);
  const files::TensorView view = files::parse_npy(file.bytes(), path.string());
  const std::size_t rank = view.shape.size();
  LONGCONV_CHECK(
      (rank == 2 || rank == 3) && (view.dtype == Dtype::f32 || view.dtype == Dtype::f64), DataError,
      "{}: expected float32 or float64 [runs, steps, channels] or [steps, channels], got {} with "
      "{} dimensions",
      path.string(), name(view.dtype), rank);
  Series out;
  out.subjects = rank == 3 ? view.shape[0] : 1;
  out.length = view.shape[rank - 2];
  out.channels = view.shape[rank - 1];
  LONGCONV_CHECK(out.channels > 0, DataError, "{}: no channels", path.string());
  out.values.resize(static_cast<std::size_t>(out.subjects * out.length * out.channels));
  if (view.dtype == Dtype::f32) {
    copy_values<float>(view.data, out.values);
  } else {
    copy_values<double>(view.data, out.values);
  }
  out.mask.assign(static_cast<std::size_t>(out.subjects * out.length), 1);
  return out;
}

/// One run of a series.
struct Run {
  float* values;
  const std::uint8_t* mask;
};

Run run_of(Series& series, std::int64_t run) {
  return {series.values.data() + run * series.length * series.channels,
          series.mask.data() + run * series.length};
}

void check_run(Series& series, std::int64_t run, const std::string& path) {
  const Run of = run_of(series, run);
  const auto valid = std::count(of.mask, of.mask + series.length, 1);
  LONGCONV_CHECK(valid >= 2, DataError, "{}: run {} has {} valid steps, expected two or more", path,
                 run, valid);
  for (std::int64_t t = 0; t < series.length; ++t) {
    if (of.mask[t] == 0) continue;
    for (std::int64_t c = 0; c < series.channels; ++c) {
      LONGCONV_CHECK(std::isfinite(of.values[t * series.channels + c]), DataError,
                     "{}: value {} at [{}, {}, {}], which is not masked", path,
                     of.values[t * series.channels + c], run, t, c);
    }
  }
}

void standardise_run(Series& series, std::int64_t run) {
  const Run of = run_of(series, run);
  for (std::int64_t c = 0; c < series.channels; ++c) {
    double sum = 0.0;
    double squares = 0.0;
    double count = 0.0;
    for (std::int64_t t = 0; t < series.length; ++t) {
      if (of.mask[t] == 0) continue;
      const double value = of.values[t * series.channels + c];
      sum += value;
      squares += value * value;
      count += 1.0;
    }
    const double mean = sum / count;
    const double variance = squares / count - mean * mean;
    // A channel that stays what it is has nothing to predict; rounding must not blow it up.
    const double scale = variance > 1e-12 * squares / count ? 1.0 / std::sqrt(variance) : 0.0;
    for (std::int64_t t = 0; t < series.length; ++t) {
      float& value = of.values[t * series.channels + c];
      value = static_cast<float>((value - mean) * scale);
    }
  }
}

}  // namespace

std::shared_ptr<const Series> read_brain_file(const std::filesystem::path& path, bool standardise) {
  LONGCONV_CHECK(
      path.extension() == ".h5" || path.extension() == ".hdf5" || path.extension() == ".npy",
      DataError, "expected a file .h5, .hdf5 or .npy, got \"{}\"", path.string());
  auto series = std::make_shared<Series>(path.extension() == ".npy" ? read_npy_series(path)
                                                                    : read_series(path));
  for (std::int64_t run = 0; run < series->subjects; ++run) {
    check_run(*series, run, path.string());
    if (standardise) standardise_run(*series, run);
  }
  return series;
}

BrainSeries::BrainSeries(const BrainSeriesConfig& config)
    : BrainSeries(config, read_brain_file(config.path(), config.standardise())) {}

BrainSeries::BrainSeries(const BrainSeriesConfig& config,
                         const std::shared_ptr<const Series>& series)
    : BrainSeries(config, series, split_indices(config.split, series->subjects, {}),
                  config.max_len(), config.split.part() == "train") {}

BrainSeries::BrainSeries(const BrainKeys& config, std::shared_ptr<const Series> series,
                         std::vector<std::int64_t> members, std::int64_t max_len, bool training)
    : series_(std::move(series)),
      members_(std::move(members)),
      min_len_(config.min_len()),
      max_len_(max_len),
      train_(training) {
  if (min_len_ > max_len_) {
    config.min_len.fail(fmt::format(
        "expected at most max_len = {} (of a run: data.seq_len), got {}", max_len_, min_len_));
  }
}

std::int64_t BrainSeries::size() const { return static_cast<std::int64_t>(members_.size()); }
std::int64_t BrainSeries::seq_len() const { return std::min(max_len_, series_->length - 1); }

BrainSeries::Window BrainSeries::window(std::int64_t index, std::uint64_t key, bool longest) const {
  LONGCONV_CHECK(index >= 0 && index < size(), DataError, "run {} asked for, there are {}", index,
                 size());
  CounterRandom random(key, 0);
  Window out{members_[static_cast<std::size_t>(index)], 0, seq_len()};
  const std::int64_t least = std::min(min_len_, seq_len());
  if (!longest) {
    out.length = least + random.below(static_cast<std::uint32_t>(seq_len() - least + 1));
  }
  out.begin = random.below(static_cast<std::uint32_t>(series_->length - out.length));
  return out;
}

Batch BrainSeries::get(std::span<const std::int64_t> indices) const {
  std::vector<Window> windows;
  for (const std::int64_t index : indices) {
    windows.push_back(window(index, draw_key(/*seed=*/0, /*epoch=*/0, index), /*longest=*/true));
  }
  return batch_of(windows);
}

Batch BrainSeries::draw(std::span<const std::int64_t> indices,
                        std::span<const std::uint64_t> keys) const {
  if (!train_) return get(indices);
  std::vector<Window> windows;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    windows.push_back(window(indices[i], keys[i], /*longest=*/false));
  }
  return batch_of(windows);
}

Batch BrainSeries::batch_of(const std::vector<Window>& windows) const {
  const auto batch = static_cast<std::int64_t>(windows.size());
  const std::int64_t channels = series_->channels;
  std::int64_t width = 0;
  for (const Window& each : windows) width = std::max(width, each.length);
  Batch out;
  out.input = at::zeros({batch, width, channels}, at::kFloat);
  out.target = at::full({batch, width, channels}, kNotAsked, at::kFloat);
  out.lengths = at::empty({batch}, at::kLong);
  for (std::int64_t i = 0; i < batch; ++i) {
    const Window& from = windows[static_cast<std::size_t>(i)];
    out.lengths.mutable_data_ptr<std::int64_t>()[i] = from.length;
    float* input = out.input.mutable_data_ptr<float>() + i * width * channels;
    float* target = out.target.mutable_data_ptr<float>() + i * width * channels;
    const std::int64_t first = from.run * series_->length + from.begin;
    const auto valid = [&](std::int64_t t) {
      return series_->mask[static_cast<std::size_t>(first + t)] == 1;
    };
    const float* values = series_->values.data() + first * channels;
    for (std::int64_t t = 0; t < from.length; ++t) {
      if (valid(t)) std::copy_n(values + t * channels, channels, input + t * channels);
      if (valid(t + 1)) std::copy_n(values + (t + 1) * channels, channels, target + t * channels);
    }
  }
  return out;
}

SeriesBaselines series_baselines(const BrainSeries& data) {
  SeriesBaselines sums;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Batch batch = data.get(std::vector<std::int64_t>{i});
    const auto* input = batch.input.const_data_ptr<float>();
    const auto* target = batch.target.const_data_ptr<float>();
    for (std::int64_t at = 0; at < batch.target.numel(); ++at) {
      if (std::isnan(target[at])) continue;
      sums.zero += std::abs(target[at]);
      sums.last_value += std::abs(target[at] - input[at]);
      sums.variance += static_cast<double>(target[at]) * target[at];
      ++sums.targets;
    }
  }
  const auto count = static_cast<double>(std::max<std::int64_t>(sums.targets, 1));
  sums.zero /= count;
  sums.last_value /= count;
  sums.variance /= count;
  return sums;
}

}  // namespace longconv::data
