#include "data/tasks/pathfinder_tables.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>
#include <utility>

namespace longconv::data {

namespace {

constexpr double kPi = std::numbers::pi;

double flip(double theta) { return theta < 0 ? theta + kPi : theta - kPi; }

/// Offsets from the stamp's middle where it is at least `level`.
std::vector<Point> offsets_of(const Stamp& stamp, int level) {
  std::vector<Point> out;
  std::size_t i = 0;
  for (int y = -stamp.radius; y <= stamp.radius; ++y) {
    for (int x = -stamp.radius; x <= stamp.radius; ++x) {
      if (stamp.pixels[i++] >= level) out.push_back({y, x});
    }
  }
  return out;
}

/// The pixels of the circle around a pivot on which the next paddle ends, sorted by (y, x).
std::vector<Point> circle(double radius) {
  std::set<std::pair<int, int>> unique;
  const double step = 1.0 / radius;  // radians: neighbouring samples are a pixel apart
  for (int i = 0; i * step < 2 * kPi; ++i) {
    unique.emplace(static_cast<int>(std::floor(radius * std::sin(i * step))),
                   static_cast<int>(std::floor(radius * std::cos(i * step))));
  }
  std::vector<Point> out;
  out.reserve(unique.size());
  for (const auto& [y, x] : unique) out.push_back({y, x});
  return out;
}

PathfinderSeed make_seed(const PathfinderRules& rules, int margin, int stride, double theta,
                         const Stamp& mask) {
  PathfinderSeed seed;
  seed.head = Step(theta, rules.paddle_length);
  seed.pivot = Step(flip(theta), rules.paddle_length + margin);
  // The kernel is cut out of a square that is one pixel too small, and anchored one pixel before
  // the paddle's begin.
  const int half = rules.paddle_length + margin;
  int quadrants = 0;
  seed.least = {std::numeric_limits<int>::max(), std::numeric_limits<int>::max()};
  seed.most = {std::numeric_limits<int>::min(), std::numeric_limits<int>::min()};
  for (const Point& offset : offsets_of(mask, 255)) {
    const Point at{offset.y + 1, offset.x + 1};
    if (std::max(std::abs(at.y), std::abs(at.x)) > half) continue;
    seed.kernel.push_back(std::ptrdiff_t{at.y} * stride + at.x);
    seed.least = {std::min(seed.least.y, at.y), std::min(seed.least.x, at.x)};
    seed.most = {std::max(seed.most.y, at.y), std::max(seed.most.x, at.x)};
    for (int quadrant = 0; quadrant < 4; ++quadrant) {
      const int dy = (quadrant & 1) != 0 ? at.y : -at.y;
      const int dx = (quadrant & 2) != 0 ? at.x : -at.x;
      if (dy >= 0 && dx >= 0) quadrants |= 1 << quadrant;
    }
  }
  // Where a corner pixel of the image has no part of the kernel inside the image, the published
  // generator finds no free pixel at all. Not meant, but the images show it.
  seed.usable = !seed.kernel.empty() && (quadrants == 15 || rules.all_seed_directions);
  return seed;
}

}  // namespace

PathfinderTables::PathfinderTables(const PathfinderRules& rules, int the_margin)
    : margin(the_margin) {
  const double length = rules.paddle_length;
  const std::vector<Point> ends = circle(length + margin);
  std::vector<double> angles;
  angles.reserve(kDegrees + ends.size());
  for (int degree = 0; degree < kDegrees; ++degree) {
    angles.push_back((degree - 180) * kPi / 180.0);
  }
  for (const Point& end : ends) angles.push_back(std::atan2(end.y, end.x));

  for (std::size_t i = 0; i < angles.size(); ++i) {
    PathfinderOrientation way;
    way.degrees = static_cast<float>(angles[i] * 180.0 / kPi);
    // Later paddles are drawn from their outer end back towards the pivot.
    const bool first = i < kDegrees;
    way.stamp = paddle_stamp(rules, margin, first ? angles[i] : flip(angles[i]));
    reach = way.stamp.mask.radius + 2;  // all stamps have one size
    stride = rules.size + 2 * reach;
    for (const Point& at : offsets_of(way.stamp.mask, kCollision - 255)) {
      way.solid.push_back({std::ptrdiff_t{at.y} * stride + at.x, way.stamp.mask.at(at)});
    }
    way.advance = Step(angles[i], length + 2 * margin);
    for (std::size_t j = 0; j < ends.size(); ++j) {
      const double apart = std::abs(angles[kDegrees + j] - angles[i]);
      const double turn = std::min(apart, 2 * kPi - apart);
      if (turn * rules.continuity >= kPi / 2) continue;
      const double cosine = std::cos(turn * rules.continuity);
      way.next.push_back(
          {ends[j], kDegrees + static_cast<int>(j), static_cast<float>(cosine * cosine)});
    }
    if (first) seeds.push_back(make_seed(rules, margin, stride, angles[i], way.stamp.mask));
    orientations.push_back(std::move(way));
  }
  for (const Point& at : disk(margin)) near.push_back(std::ptrdiff_t{at.y} * stride + at.x);
}

}  // namespace longconv::data
