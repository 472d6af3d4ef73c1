// Mixed AR(2) sources (data/tasks/brain_series.h).
#include "data/tasks/brain_series.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/ordered_work.h"

#include <chrono>
#include <cmath>
#include <numbers>

namespace longconv::data {

namespace {

// Streams that no run's number can be.
constexpr std::uint64_t kSourcesItem = ~std::uint64_t{0};
constexpr std::uint64_t kMixingItem = ~std::uint64_t{1};
// The slowest source forgets its start: 0.95^500 is 7e-12.
constexpr std::int64_t kBurnIn = 500;

std::uint64_t seed_of(const BrainGeneratorConfig& config) {
  return static_cast<std::uint64_t>(config.seed());
}

/// Standard normal, by Box and Muller.
double normal(CounterRandom& random) {
  const double u = 1.0 - random.uniform();  // in (0, 1]
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * random.uniform());
}

}  // namespace

double Ar2Source::variance() const {
  return (1.0 - phi2) / ((1.0 + phi2) * ((1.0 - phi2) * (1.0 - phi2) - phi1 * phi1));
}

std::vector<Ar2Source> brain_sources(const BrainGeneratorConfig& config) {
  CounterRandom random(seed_of(config), kSourcesItem);
  std::vector<Ar2Source> out(static_cast<std::size_t>(config.channels()));
  for (Ar2Source& source : out) {
    // Damped oscillations: poles of radius 0.7 to 0.95, periods of about 6 to 60 steps.
    const double radius = 0.7 + 0.25 * random.uniform();
    const double angle = 0.1 + 0.9 * random.uniform();
    source = {2.0 * radius * std::cos(angle), -radius * radius};
  }
  return out;
}

std::vector<double> brain_mixing(const BrainGeneratorConfig& config) {
  CounterRandom random(seed_of(config), kMixingItem);
  std::vector<double> out(static_cast<std::size_t>(config.channels() * config.channels()));
  for (double& weight : out) weight = normal(random);
  return out;
}

std::vector<float> brain_run(const BrainGeneratorConfig& config, std::int64_t run) {
  const auto channels = static_cast<std::size_t>(config.channels());
  const std::vector<Ar2Source> sources = brain_sources(config);
  const std::vector<double> mixing = brain_mixing(config);
  CounterRandom random(seed_of(config), static_cast<std::uint64_t>(run));
  std::vector<double> now(channels, 0.0);
  std::vector<double> before(channels, 0.0);
  std::vector<float> out(static_cast<std::size_t>(config.length()) * channels);
  for (std::int64_t t = -kBurnIn; t < config.length(); ++t) {
    for (std::size_t k = 0; k < channels; ++k) {
      const double next = sources[k].phi1 * now[k] + sources[k].phi2 * before[k] + normal(random);
      before[k] = now[k];
      now[k] = next;
    }
    if (t < 0) continue;
    float* row = out.data() + static_cast<std::size_t>(t) * channels;
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0.0;
      for (std::size_t k = 0; k < channels; ++k) sum += mixing[c * channels + k] * now[k];
      row[c] = static_cast<float>(sum);
    }
  }
  return out;
}

double brain_best_error(const BrainGeneratorConfig& config) {
  const auto channels = static_cast<std::size_t>(config.channels());
  const std::vector<Ar2Source> sources = brain_sources(config);
  const std::vector<double> mixing = brain_mixing(config);
  // The square matrix can be inverted, so the sources are known, and what is not is e_t: normal,
  // whose mean absolute value is sqrt(2 / pi) deviations.
  double sum = 0.0;
  for (std::size_t c = 0; c < channels; ++c) {
    double fresh = 0.0;
    double whole = 0.0;
    for (std::size_t k = 0; k < channels; ++k) {
      const double weight = mixing[c * channels + k];
      fresh += weight * weight;
      whole += weight * weight * sources[k].variance();
    }
    sum += std::sqrt(2.0 / std::numbers::pi * fresh / whole);
  }
  return sum / static_cast<double>(channels);
}

Generated write_brain_series(const BrainGeneratorConfig& config, const std::filesystem::path& path,
                             std::int64_t threads) {
  const auto begin = std::chrono::steady_clock::now();
  Series series;
  series.subjects = config.runs();
  series.length = config.length();
  series.channels = config.channels();
  in_order(
      series.subjects, threads, 4, [&](std::int64_t run) { return brain_run(config, run); },
      [&](const std::vector<float>& run) {
        series.values.insert(series.values.end(), run.begin(), run.end());
      });
  series.mask.assign(static_cast<std::size_t>(series.subjects * series.length), 1);
  write_series(path, series);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {series.subjects, seconds.count()};
}

}  // namespace longconv::data
