// What a Pathfinder generator looks up instead of computing it: the few places and pictures that a
// paddle can have. An orientation is one of 360 whole degrees (a first paddle) or belongs to one of
// the 20 to 100 pixels of the circle on which the next paddle can lie.
#pragma once

#include "data/tasks/pathfinder_stamps.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longconv::data {

inline constexpr int kDegrees = 360;  ///< orientations [0, 360) are -180 to 179 degrees

/// Where a contour can go on from some orientation.
struct NextPaddle {
  Point offset;         ///< of its outer end from the contour's pivot
  int orientation = 0;  ///< that it gives the contour
  float weight = 0.0F;  ///< cos^2 of the turn; those with 0 are left out
};

/// A pixel of a mask; the offset is one in the memory of PathfinderObstacles.
struct MaskPixel {
  std::ptrdiff_t offset = 0;
  int level = 0;
};

struct PathfinderOrientation {
  float degrees = 0.0F;
  PaddleStamp stamp;
  std::vector<MaskPixel> solid;  ///< where stamp.mask is high enough to collide with anything
  Step advance;                  ///< from one pivot to the next
  std::vector<NextPaddle> next;
};

/// A first paddle, which starts at a tail and runs along its orientation.
struct PathfinderSeed {
  bool usable = false;  ///< false for the directions that the published generator never takes
  Step head;            ///< from the tail
  Step pivot;           ///< from the head
  std::vector<std::ptrdiff_t> kernel;  ///< clearance that must be free around the tail, in memory
  Point least;                         ///< corners of the kernel's bounding box
  Point most;
};

/// Two masks collide where their sum reaches this: 1.8 of 255 each.
inline constexpr int kCollision = 459;
/// A pixel is free up to this level: 0.3 of 255.
inline constexpr int kFree = 76;

/// All of it for one margin.
struct PathfinderTables {
  PathfinderTables(const PathfinderRules& rules, int margin);

  int margin = 0;
  int reach = 0;   ///< of the frame that PathfinderObstacles needs: longer than any offset in here
  int stride = 0;  ///< of its rows
  std::vector<PathfinderOrientation> orientations;
  std::vector<PathfinderSeed> seeds;  ///< kDegrees of them
  std::vector<std::ptrdiff_t> near;   ///< offsets within the margin, in memory
};

}  // namespace longconv::data
