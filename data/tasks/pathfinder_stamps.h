// How a Pathfinder paddle and a marker look: drawn without anti-aliasing on a supersampled canvas,
// then reduced with Lanczos-3 in 8 bits, as the image library of the published sets does it.
#pragma once

#include "data/tasks/pathfinder_rules.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longconv::data {

/// A pixel, or an offset between pixels; y points down.
struct Point {
  int y = 0;
  int x = 0;
};

/// A square of grey levels whose middle pixel lies on the point it is stamped at.
struct Stamp {
  int radius = 0;                                       ///< the side is 2 radius + 1
  std::vector<std::uint8_t> pixels;                     ///< row-major
  [[nodiscard]] const std::uint8_t* row(int y) const {  ///< from -radius to radius
    return pixels.data() + std::ptrdiff_t{y + radius} * (2 * radius + 1);
  }
  [[nodiscard]] std::uint8_t at(Point offset) const { return row(offset.y)[offset.x + radius]; }
};

/// A paddle and the clearance around it, 255 = within `margin` of the paddle.
struct PaddleStamp {
  Stamp line;
  Stamp mask;
};

/// A step along an orientation (radians; (sin, cos) is (y, x)). It ends on the pixel that rounding
/// up on both axes gives, as in the published generator. Kept in float64 until it is taken, because
/// where it begins matters: sin(pi) = 1.2e-16 vanishes beside most coordinates, but not beside 0.
struct Step {
  Step() = default;
  Step(double theta, double distance);
  [[nodiscard]] Point from(Point p) const;
  double y = 0.0;
  double x = 0.0;
};

/// The paddle that starts in the middle and runs along `theta`.
PaddleStamp paddle_stamp(const PathfinderRules& rules, int margin, double theta);

/// Offsets within `radius`: dx^2 + dy^2 <= radius^2.
std::vector<Point> disk(int radius);

/// Draws a marker at `centre` into an image of size x size grey levels (255 = 1) by maximum.
void draw_marker(const PathfinderRules& rules, Point centre, std::vector<float>& image);

}  // namespace longconv::data
