// Pathfinder images (Linsley et al., arXiv:1805.08315; Path-X of the Long Range Arena is the set of
// 128 pixels): two long dashed contours, short distractors and two discs. Label 1: the discs are
// the two ends of one contour. Label 0: one disc lies on the beginning of one contour, the other on
// the far end of the other.
#pragma once

#include "data/tasks/pathfinder_rules.h"
#include "data/tasks/pathfinder_stamps.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace longconv::data {

struct PathfinderImage {
  int label = 0;
  int margin = 0;
  std::int64_t attempts = 0;        ///< at drawing both contours, the successful one included
  int distractors = 0;              ///< that found a place
  std::array<Point, 2> origin{};    ///< of each contour: where its first paddle begins
  std::array<Point, 2> terminal{};  ///< the outer end of its last paddle
  std::array<Point, 2> marker{};
  std::vector<float> turns;          ///< degrees between neighbouring paddles of the contours
  std::vector<std::uint8_t> pixels;  ///< size x size, row-major; least 0, greatest 255
};

/// Thread-safe; building one costs 0.01 to 0.3 s.
class PathfinderGenerator {
 public:
  explicit PathfinderGenerator(PathfinderRules rules);
  ~PathfinderGenerator();
  [[nodiscard]] const PathfinderRules& rules() const;
  /// A pure function of (rules, seed, index).
  [[nodiscard]] PathfinderImage generate(std::uint64_t seed, std::int64_t index) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longconv::data
