#include "data/tasks/pathfinder_statistics.h"

#include "data/tasks/ordered_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace longconv::data {

namespace {

double distance(Point a, Point b) { return std::hypot(a.y - b.y, a.x - b.x); }

/// Of some numbers, one pass.
class Sums {
 public:
  void add(double value) {
    sum_ += value;
    squares_ += value * value;
    ++count_;
  }
  [[nodiscard]] Moments moments() const {
    const double mean = sum_ / count_;
    return {mean, std::sqrt(std::max(squares_ / count_ - mean * mean, 0.0)), count_};
  }

 private:
  double sum_ = 0.0;
  double squares_ = 0.0;
  double count_ = 0.0;
};

/// Accuracy of the best rule "inside an interval of distances is this label" (either label): the
/// interval with the greatest surplus of one label, by Kadane's scan over the sorted distances.
double best_interval_rule(std::vector<std::pair<double, int>> samples) {
  std::sort(samples.begin(), samples.end());
  double best = 0.0;
  for (const int inside : {0, 1}) {
    std::int64_t outside = 0;  // samples of the other label, right where all is called the other
    std::int64_t surplus = 0;
    std::int64_t most = 0;
    for (std::size_t i = 0; i < samples.size();) {
      const double here = samples[i].first;  // equal distances cannot be told apart
      for (; i < samples.size() && samples[i].first == here; ++i) {
        surplus += samples[i].second == inside ? 1 : -1;
        outside += samples[i].second == inside ? 0 : 1;
      }
      most = std::max(most, surplus);
      surplus = std::max<std::int64_t>(surplus, 0);
    }
    best =
        std::max(best, static_cast<double>(outside + most) / static_cast<double>(samples.size()));
  }
  return best;
}

struct Collected {
  std::int64_t attempts = 0;
  std::int64_t placed = 0;
  std::int64_t positive = 0;
  Sums grey, same, crossed, ends;
  std::array<Sums, 5> shares;
  std::vector<std::pair<double, int>> distances;
  std::vector<float> turns;

  void add(const PathfinderImage& image) {
    attempts += image.attempts;
    placed += image.distractors;
    positive += image.label;
    std::array<double, 5> above{};
    double sum = 0.0;
    for (const int level : image.pixels) {
      sum += level;
      above[0] += level > 0 ? 1 : 0;
      above[1] += level > 64 ? 1 : 0;
      above[2] += level > 127 ? 1 : 0;
      above[3] += level > 200 ? 1 : 0;
      above[4] += level == 255 ? 1 : 0;
    }
    const auto pixels = static_cast<double>(image.pixels.size());
    grey.add(sum / pixels);
    for (std::size_t i = 0; i < above.size(); ++i) shares[i].add(above[i] / pixels);
    for (const std::size_t contour : {std::size_t{0}, std::size_t{1}}) {
      const double own = distance(image.origin[contour], image.terminal[contour]);
      const double other = distance(image.origin[contour], image.terminal[1 - contour]);
      same.add(own);
      crossed.add(other);
      distances.emplace_back(own, 1);
      distances.emplace_back(other, 0);
    }
    ends.add(distance(image.terminal[0], image.terminal[1]));
    turns.insert(turns.end(), image.turns.begin(), image.turns.end());
  }
};

}  // namespace

PathfinderStatistics measure_pathfinder(const PathfinderGenerator& generator, std::uint64_t seed,
                                        std::int64_t count, std::int64_t threads) {
  Collected all;
  in_order(
      count, threads, 16, [&](std::int64_t i) { return generator.generate(seed, i); },
      [&](const PathfinderImage& image) { all.add(image); });
  const auto images = static_cast<double>(count);
  PathfinderStatistics out;
  out.accepted = images / static_cast<double>(all.attempts);
  out.placed = static_cast<double>(all.placed) / images;
  out.positive = static_cast<double>(all.positive) / images;
  out.grey = all.grey.moments();
  out.same = all.same.moments();
  out.crossed = all.crossed.moments();
  out.ends = all.ends.moments();
  for (std::size_t i = 0; i < out.shares.size(); ++i) out.shares[i] = all.shares[i].moments();
  std::sort(all.turns.begin(), all.turns.end());
  double sum = 0.0;
  for (const float turn : all.turns) sum += turn;
  out.turn_mean = sum / static_cast<double>(all.turns.size());
  out.turn_median = all.turns[all.turns.size() / 2];
  out.interval_rule = best_interval_rule(std::move(all.distances));
  return out;
}

std::span<const PathfinderReference> pathfinder_references() {
  // clang-format off
  static const PathfinderReference rows[] = {
    // The shares of 32 are those of tests/peers/pathfinder.py; docs/pathfinder.md says why.
    // side K  accept placed grey  sd    > 0    > 64   > 127  > 200   = 255    same       crossed     ends        images rule
    {32,  14, .0032, 1.17, 20.06, 1.93, {.3403, .1254, .0851, .0159, .00222}, 13.3, 5.2,  12.7, 5.1,  16.0, 8.4,   20000, .54},
    {32,   9, .0154, 1.81, 15.36, 1.90, {.2666, .0935, .0637, .0145, .00190}, 14.4, 4.6,  13.7, 4.9,  16.7, 8.4,   20000, 0},
    {32,   6, .0453, 3.34, 12.96, 1.77, {.2281, .0762, .0522, .0141, .00164}, 14.9, 3.2,  14.8, 4.2,  17.7, 9.1,   20000, .60},
    {64,  14, .0002, 2.60, 13.39, 1.34, {.261,  .089,  .046,  .0094, .0025}, 32.3, 10.1, 29.0, 9.8,  33.5, 16.9,  400,   0},
    {64,   9, .0051, 4.51, 11.39, 1.12, {.219,  .075,  .040,  .0092, .0026}, 41.0, 7.0,  39.8, 9.0,  33.9, 21.6,  5000,  0},
    {64,   6, .087,  7.92, 10.26, 0.89, {.199,  .067,  .036,  .0091, .0025}, 34.5, 3.3,  33.6, 7.4,  38.2, 20.4,  5000,  0},
    {128, 14, .0025, 7.69, 7.91,  0.33, {.137,  .041,  .030,  .0136, .0007}, 77,   20,   74,   21,   68,   38,    150,   .55},
    {128,  9, .092, 10.94, 6.94,  0.20, {.120,  .036,  .027,  .0121, .0007}, 72.5, 10.3, 72.9, 15.8, 80,   42,    1000,  0},
    {128,  6, .564, 17.0,  6.32,  0.15, {.110,  .033,  .024,  .0111, .0007}, 51.4, 6.3,  53.8, 13.8, 68,   32,    2000,  .73},
    {256, 14, .125,  6.99, 2.95,  0.05, {.0388, .0141, .0112, .0077, .0034}, 125,  19,   126,  26,   124,  66,    2000,  .62},
    {256,  9, .409, 10.0,  2.60,  0.04, {.0338, .0124, .0099, .0068, .0031}, 85.2, 8.1,  88.7, 19.5, 111,  53,    1500,  0},
    {256,  6, .648, 15.0,  2.34,  0.03, {.0300, .0111, .0089, .0062, .0028}, 56.7, 4.3,  61.5, 17.9, 80,   35,    2000,  .87},
    {512, 14, .142,  6.99, 2.79,  0.03, {.0229, .0126, .0107, .0090, .0044}, 253,  32,   255,  45,   257,  128,   100,   0},
  };
  // clang-format on
  return rows;
}

std::vector<std::string> pathfinder_gates(const PathfinderStatistics& got,
                                          const PathfinderReference& want) {
  std::vector<std::string> outside;
  const auto check = [&](const char* what, double value, double wanted, double allowed) {
    if (std::abs(value - wanted) <= allowed) return;
    outside.push_back(
        fmt::format("{}: {:.5g}, expected {:.5g} +- {:.3g}", what, value, wanted, allowed));
  };
  // The reference's count of distances and ends is that of its images, or twice that.
  const auto mean = [&](const char* what, const Moments& value, double wanted, double deviation,
                        double an_image) {
    const double error = std::sqrt(value.deviation * value.deviation / value.count +
                                   deviation * deviation / (want.images * an_image));
    check(what, value.mean, wanted, 3 * error + 0.03 * wanted);
  };
  check("distractors placed", got.placed, want.placed, 0.15);
  mean("grey", got.grey, want.grey, want.grey_deviation, 1);
  const std::array<const char*, 5> names = {"share > 0", "share > 64", "share > 127", "share > 200",
                                            "share = 255"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    // The published figures of shares have two to four digits: half a unit of the last is theirs.
    const double digit = want.shares[i] < 0.02 ? 0.00005 : 0.0005;
    Moments value = got.shares[i];
    const double wanted = want.shares[i];
    value.mean = std::clamp(wanted, value.mean - digit, value.mean + digit);
    mean(names[i], value, wanted, value.deviation, 1);
  }
  mean("same contour", got.same, want.same, want.same_deviation, 2);
  mean("crossed", got.crossed, want.crossed, want.crossed_deviation, 2);
  mean("far ends", got.ends, want.ends, want.ends_deviation, 1);
  check("label 1", got.positive, 0.5, 2 / std::sqrt(got.grey.count));
  if (want.interval_rule > 0 && got.interval_rule > want.interval_rule + 0.03) {
    outside.push_back(fmt::format("the markers' distance alone gives {:.3f}, at most {:.3f} wanted",
                                  got.interval_rule, want.interval_rule + 0.03));
  }
  return outside;
}

}  // namespace longconv::data
