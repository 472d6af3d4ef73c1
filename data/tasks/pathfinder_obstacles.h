// The clearance already taken in a Pathfinder image, with a way back.
#pragma once

#include "data/tasks/pathfinder_tables.h"

#include <cstdint>
#include <vector>

namespace longconv::data {

/// 8-bit grey levels over the image and a frame around it, so that no offset needs a bounds check.
/// The frame may be written to and stays without effect: whatever reaches across the border also
/// meets the border band, which is an obstacle from the beginning.
class PathfinderObstacles {
 public:
  PathfinderObstacles(const PathfinderRules& rules, const PathfinderTables& tables);

  [[nodiscard]] bool inside(Point p) const {
    return p.y >= 0 && p.x >= 0 && p.y < size_ && p.x < size_;
  }
  /// The greatest level within the margin of `p`, which is inside.
  [[nodiscard]] int nearest(Point p) const;
  /// Whether a mask stamped at `p` would collide.
  [[nodiscard]] bool collides(const std::vector<MaskPixel>& solid, Point p) const;
  /// Whether all of a seed's kernel is free around `p`, as far as it is inside.
  [[nodiscard]] bool free(const std::vector<std::ptrdiff_t>& kernel, Point p) const;
  /// Pixels with a free level, as of the last keep().
  [[nodiscard]] std::int64_t free_pixels() const { return free_pixels_; }

  /// Raises levels to those of a mask stamped at `p`.
  void add(const Stamp& mask, Point p);
  void keep();    ///< what was added stays
  void revert();  ///< what was added since keep() is gone

 private:
  struct Touched {
    Point at;
    int radius;
  };
  [[nodiscard]] std::size_t index(Point p) const {
    return static_cast<std::size_t>(p.y + reach_) * static_cast<std::size_t>(stride_) +
           static_cast<std::size_t>(p.x + reach_);
  }
  void copy_touched(const std::vector<std::uint8_t>& from, std::vector<std::uint8_t>& to);

  int size_;
  int reach_;
  int stride_;
  const std::vector<std::ptrdiff_t>& near_;
  std::vector<std::uint8_t> now_;
  std::vector<std::uint8_t> kept_;
  std::vector<Touched> touched_;
  std::int64_t free_pixels_ = 0;
};

}  // namespace longconv::data
