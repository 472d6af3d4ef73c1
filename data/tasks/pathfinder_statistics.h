// Whether generated Pathfinder images are those of the published generator: the figures of its own
// images and of an independent port, and the gates that a sample must pass (data.md 1.7).
#pragma once

#include "data/tasks/pathfinder_generator.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

/// Mean and deviation of something over images.
struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
  double count = 0.0;
};

struct PathfinderStatistics {
  double accepted = 0.0;          ///< share of attempts at both contours that succeed
  double placed = 0.0;            ///< distractors an image
  Moments grey;                   ///< mean level, 0 to 255
  std::array<Moments, 5> shares;  ///< of pixels > 0, > 64, > 127, > 200, = 255
  Moments same;                   ///< distance between the ends of one contour (label 1), pixels
  Moments crossed;                ///< between the begin of one and the end of the other (label 0)
  Moments ends;                   ///< between the two far ends
  double turn_mean = 0.0;         ///< degrees between neighbouring dashes
  double turn_median = 0.0;
  double positive = 0.0;       ///< share of label 1
  double interval_rule = 0.0;  ///< accuracy of the best guess from the markers' distance alone
};

/// Over images [0, count) of `seed`.
PathfinderStatistics measure_pathfinder(const PathfinderGenerator& generator, std::uint64_t seed,
                                        std::int64_t count, std::int64_t threads);

/// What the images should be like.
struct PathfinderReference {
  int size;
  int contour_paddles;
  double accepted;
  double placed;
  double grey, grey_deviation;
  std::array<double, 5> shares;
  double same, same_deviation;
  double crossed, crossed_deviation;
  double ends, ends_deviation;
  double images;         ///< behind these figures
  double interval_rule;  ///< 0 where nobody measured it
};
std::span<const PathfinderReference> pathfinder_references();

/// What is outside its gate, in words; empty if the sample passes. Means: 3 standard errors of both
/// sides and 3 %; placed: 0.15; interval rule: 3 points above;
/// labels: 4 binomial deviations.
std::vector<std::string> pathfinder_gates(const PathfinderStatistics& got,
                                          const PathfinderReference& want);

}  // namespace longconv::data
