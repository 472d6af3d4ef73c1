#include "data/tasks/pathfinder_obstacles.h"

#include <algorithm>

namespace longconv::data {

PathfinderObstacles::PathfinderObstacles(const PathfinderRules& rules,
                                         const PathfinderTables& tables)
    : size_(rules.size), reach_(tables.reach), stride_(tables.stride), near_(tables.near) {
  now_.assign(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(stride_), 0);
  for (int y = 0; y < size_; ++y) {
    std::uint8_t* row = now_.data() + index({y, 0});
    const bool band = y < rules.padding || y >= size_ - rules.padding;
    const int width = band ? size_ : rules.padding;
    std::fill_n(row, width, std::uint8_t{255});
    std::fill_n(row + size_ - width, width, std::uint8_t{255});
  }
  kept_ = now_;
}

int PathfinderObstacles::nearest(Point p) const {
  const std::uint8_t* base = now_.data() + index(p);
  std::uint8_t most = 0;
  for (const std::ptrdiff_t offset : near_) most = std::max(most, base[offset]);
  return most;
}

bool PathfinderObstacles::collides(const std::vector<MaskPixel>& solid, Point p) const {
  const std::uint8_t* base = now_.data() + index(p);
  return std::any_of(solid.begin(), solid.end(), [&](const MaskPixel& pixel) {
    return base[pixel.offset] + pixel.level >= kCollision;
  });
}

bool PathfinderObstacles::free(const std::vector<std::ptrdiff_t>& kernel, Point p) const {
  const std::uint8_t* base = now_.data() + index(p);
  return std::all_of(kernel.begin(), kernel.end(),
                     [&](std::ptrdiff_t offset) { return base[offset] <= kFree; });
}

void PathfinderObstacles::add(const Stamp& mask, Point p) {
  for (int y = -mask.radius; y <= mask.radius; ++y) {
    std::uint8_t* to = now_.data() + index({p.y + y, p.x - mask.radius});
    const std::uint8_t* from = mask.row(y);
    for (int x = 0; x <= 2 * mask.radius; ++x) to[x] = std::max(to[x], from[x]);
  }
  touched_.push_back({p, mask.radius});
}

void PathfinderObstacles::copy_touched(const std::vector<std::uint8_t>& from,
                                       std::vector<std::uint8_t>& to) {
  for (const Touched& place : touched_) {
    for (int y = -place.radius; y <= place.radius; ++y) {
      const std::size_t begin = index({place.at.y + y, place.at.x - place.radius});
      std::copy_n(from.data() + begin, 2 * place.radius + 1, to.data() + begin);
    }
  }
  touched_.clear();
}

void PathfinderObstacles::keep() {
  copy_touched(now_, kept_);
  free_pixels_ = 0;
  for (int y = 0; y < size_; ++y) {
    const std::uint8_t* row = kept_.data() + index({y, 0});
    free_pixels_ +=
        std::count_if(row, row + size_, [](std::uint8_t level) { return level <= kFree; });
  }
}

void PathfinderObstacles::revert() { copy_touched(kept_, now_); }

}  // namespace longconv::data
