// The numbers behind a Pathfinder image: the published settings of the Long Range Arena's sets
// (arXiv:2011.04006; the images are those of Linsley et al., arXiv:1805.08315), and our own for
// 512.
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::data {

/// Lengths are in pixels of the image; `contour` is one of the two long dashed curves, `paddle` one
/// of its dashes.
struct PathfinderRules {
  int size = 32;          ///< side of the square image
  int padding = 1;        ///< border band that nothing may touch
  int supersampling = 2;  ///< paddles and discs are drawn this much larger, then reduced
  int paddle_length = 2;
  double paddle_thickness = 0.5;  ///< times `supersampling` it is a whole number
  std::vector<int> margins{1};    ///< clearance around a paddle; one is drawn per image
  int seed_distance = 7;          ///< between the beginnings of the two contours
  double marker_radius = 1.5;
  int contour_paddles = 14;
  int distractor_paddles = 4;   ///< contour_paddles / 3
  int distractors = 5;          ///< wanted; fewer is normal
  double continuity = 1.0;      ///< turns beyond 90 degrees / continuity never happen
  double snake_contrast = 2.0;  ///< grey of distractors; contours have both factors
  double paddle_contrast = 0.75;
  int paddle_draws = 3;      ///< places tried for the next paddle of a contour
  int distractor_tries = 5;  ///< before a distractor is given up
  /// Lifts the rule that limits the first paddles' directions (30 of 360 at 32 pixels): closer to
  /// what was meant, but not what the published images show.
  bool all_seed_directions = false;
};

/// The rules for a side of 32, 64, 128, 256 or 512 and 6, 9 or 14 paddles a contour. Throws
/// ConfigError for others.
PathfinderRules pathfinder_rules(std::int64_t size, std::int64_t contour_paddles);

}  // namespace longconv::data
