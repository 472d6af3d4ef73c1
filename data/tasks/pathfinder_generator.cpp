#include "data/tasks/pathfinder_generator.h"

#include "data/tasks/counter_random.h"
#include "data/tasks/pathfinder_obstacles.h"
#include "data/tasks/pathfinder_tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

namespace longconv::data {

namespace {

constexpr int kSeedTries = 3;

struct Placed {
  Point at;
  int orientation = 0;
};

/// A contour in progress. The clearance of its newest paddle is not among the obstacles yet, so
/// that the next paddle can join on.
struct Contour {
  Point pivot;
  Point origin;
  std::vector<Placed> paddles;
  [[nodiscard]] const Placed& newest() const { return paddles.back(); }
};

/// One image in the making.
class Drawing {
 public:
  Drawing(const PathfinderRules& rules, const PathfinderTables& tables, CounterRandom& random)
      : rules_(rules), tables_(tables), random_(random), obstacles_(rules, tables) {}

  PathfinderImage draw() {
    PathfinderImage image;
    do {
      obstacles_.revert();
      ++image.attempts;
    } while (!draw_contours());
    // The last paddle of the first contour stays no obstacle, as in the published generator: a
    // distractor may touch it.
    add_newest(contours_[1]);
    obstacles_.keep();
    for (std::size_t i = 0; i < 2; ++i) {
      image.origin[i] = contours_[i].origin;
      image.terminal[i] = contours_[i].newest().at;
      add_turns(contours_[i], image.turns);
    }
    for (int i = 0; i < rules_.distractors; ++i) {
      for (int tries = 0; tries < rules_.distractor_tries; ++tries) {
        if (draw_distractor()) {
          ++image.distractors;
          break;
        }
        obstacles_.revert();
      }
    }
    return image;
  }

  /// Levels of 255; targets and distractors overlap by maximum.
  [[nodiscard]] std::vector<float> render() const {
    std::vector<float> image(static_cast<std::size_t>(rules_.size) *
                             static_cast<std::size_t>(rules_.size));
    const double contrast = rules_.snake_contrast * rules_.paddle_contrast;
    for (const Contour& contour : contours_) {
      for (const Placed& paddle : contour.paddles) stamp(paddle, contrast, image);
    }
    for (const Placed& paddle : distractors_) stamp(paddle, rules_.snake_contrast, image);
    return image;
  }

 private:
  bool draw_contours() {
    if (!seed_first(contours_[0]) || !seed_second(contours_[1])) return false;
    for (int i = 1; i < rules_.contour_paddles; ++i) {
      if (!extend(contours_[0]) || !extend(contours_[1])) return false;
    }
    return true;
  }

  bool draw_distractor() {
    if (obstacles_.free_pixels() * 100 < std::int64_t{rules_.size} * rules_.size) return false;
    Contour contour;
    if (!seed_distractor(contour)) return false;
    for (int i = 1; i < rules_.distractor_paddles; ++i) {
      if (!extend(contour)) return false;
    }
    add_newest(contour);
    obstacles_.keep();
    distractors_.insert(distractors_.end(), contour.paddles.begin(), contour.paddles.end());
    return true;
  }

  /// The first contour begins anywhere inside a band of 2 seed_distance that is all obstacle. What
  /// a kernel leaves free of that band is a rectangle.
  bool seed_first(Contour& contour) {
    const int degree = random_degree();
    const PathfinderSeed& seed = seed_of(degree);
    if (!seed.usable) return false;
    const int band = std::max(2 * rules_.seed_distance, rules_.padding);
    const Point low{std::max(band - seed.least.y, 0), std::max(band - seed.least.x, 0)};
    const Point high{std::min(rules_.size - 1 - band - seed.most.y, rules_.size - 1),
                     std::min(rules_.size - 1 - band - seed.most.x, rules_.size - 1)};
    if (low.y > high.y || low.x > high.x) return false;
    for (int tries = 0; tries < kSeedTries; ++tries) {
      const int y = random_.between(low.y, high.y);
      const int x = random_.between(low.x, high.x);
      if (begin(contour, degree, {y, x})) return true;
    }
    return false;
  }

  bool seed_second(Contour& contour) {
    for (int tries = 0; tries < kSeedTries; ++tries) {
      const int degree = random_degree();
      const double angle = random_degree() * std::numbers::pi / 180.0;
      const Point from = contours_[0].origin;
      const Point tail{
          static_cast<int>(std::lround(from.y + rules_.seed_distance * std::sin(angle))),
          static_cast<int>(std::lround(from.x + rules_.seed_distance * std::cos(angle)))};
      if (begin(contour, degree, tail)) return true;
    }
    return false;
  }

  bool seed_distractor(Contour& contour) {
    const int degree = random_degree();
    const PathfinderSeed& seed = seed_of(degree);
    if (!seed.usable) return false;
    for (int tries = 0; tries < kSeedTries; ++tries) {
      const std::optional<Point> tail = random_free(seed);
      if (!tail) return false;
      if (begin(contour, degree, *tail)) return true;
    }
    return false;
  }

  /// Uniform among the free pixels: by rejection while that is quick, else by listing them.
  std::optional<Point> random_free(const PathfinderSeed& seed) {
    constexpr int kQuickTries = 64;
    for (int i = 0; i < kQuickTries; ++i) {
      const int y = random_.between(0, rules_.size - 1);
      const int x = random_.between(0, rules_.size - 1);
      if (obstacles_.free(seed.kernel, {y, x})) return Point{y, x};
    }
    std::vector<Point> free;
    for (int y = 0; y < rules_.size; ++y) {
      for (int x = 0; x < rules_.size; ++x) {
        if (obstacles_.free(seed.kernel, {y, x})) free.push_back({y, x});
      }
    }
    if (free.empty()) return std::nullopt;
    return free[random_.below(static_cast<std::uint32_t>(free.size()))];
  }

  /// A contour of one paddle, from `tail` along whole degrees; false if it leaves the image.
  bool begin(Contour& contour, int degree, Point tail) {
    const PathfinderSeed& seed = seed_of(degree);
    const Point head = seed.head.from(tail);
    const Point pivot = seed.pivot.from(head);
    if (!obstacles_.inside(head) || !obstacles_.inside(pivot)) return false;
    contour.origin = tail;
    contour.pivot = pivot;
    contour.paddles.clear();
    contour.paddles.push_back({tail, degree + kDegrees / 2});
    return true;
  }

  /// One more paddle; false if there is no place for it.
  bool extend(Contour& contour) {
    const PathfinderOrientation& way = orientation_of(contour.newest());
    const Point pivot = way.advance.from(contour.pivot);
    float total = 0.0F;
    sums_.clear();
    for (const NextPaddle& next : way.next) {
      const Point end{pivot.y + next.offset.y, pivot.x + next.offset.x};
      if (obstacles_.inside(end)) {
        total += next.weight * static_cast<float>(255 - obstacles_.nearest(end)) / 255.0F;
      }
      sums_.push_back(total);
    }
    if (total < kLeastWeight) return false;
    for (int draws = 0; draws < rules_.paddle_draws; ++draws) {
      const auto point = static_cast<float>(random_.uniform()) * total;
      const auto found = std::upper_bound(sums_.begin(), sums_.end(), point);
      if (found == sums_.end()) continue;  // uniform() rounded up to 1
      const NextPaddle& next = way.next[static_cast<std::size_t>(found - sums_.begin())];
      const Placed paddle{{pivot.y + next.offset.y, pivot.x + next.offset.x}, next.orientation};
      if (obstacles_.collides(orientation_of(paddle).solid, paddle.at)) continue;
      add_newest(contour);
      contour.paddles.push_back(paddle);
      contour.pivot = pivot;
      return true;
    }
    return false;
  }

  void add_newest(const Contour& contour) {
    obstacles_.add(orientation_of(contour.newest()).stamp.mask, contour.newest().at);
  }

  void add_turns(const Contour& contour, std::vector<float>& turns) const {
    for (std::size_t i = 1; i < contour.paddles.size(); ++i) {
      const float apart = std::abs(orientation_of(contour.paddles[i]).degrees -
                                   orientation_of(contour.paddles[i - 1]).degrees);
      turns.push_back(std::min(apart, 360.0F - apart));
    }
  }

  void stamp(const Placed& paddle, double contrast, std::vector<float>& image) const {
    const Stamp& line = orientation_of(paddle).stamp.line;
    for (int y = -line.radius; y <= line.radius; ++y) {
      for (int x = -line.radius; x <= line.radius; ++x) {
        const Point at{paddle.at.y + y, paddle.at.x + x};
        if (!obstacles_.inside(at)) continue;
        float& pixel = image[index(at)];
        pixel = std::max(pixel, static_cast<float>(line.at({y, x}) * contrast));
      }
    }
  }

  [[nodiscard]] std::size_t index(Point p) const {
    return static_cast<std::size_t>(p.y) * static_cast<std::size_t>(rules_.size) +
           static_cast<std::size_t>(p.x);
  }
  int random_degree() { return random_.between(-kDegrees / 2, kDegrees / 2 - 1); }
  [[nodiscard]] const PathfinderSeed& seed_of(int degree) const {
    const int index_of_degree = degree + kDegrees / 2;
    return tables_.seeds[static_cast<std::size_t>(index_of_degree)];
  }
  [[nodiscard]] const PathfinderOrientation& orientation_of(const Placed& paddle) const {
    return tables_.orientations[static_cast<std::size_t>(paddle.orientation)];
  }

  static constexpr float kLeastWeight = 1e-4F;
  const PathfinderRules& rules_;
  const PathfinderTables& tables_;
  CounterRandom& random_;
  PathfinderObstacles obstacles_;
  std::array<Contour, 2> contours_;
  std::vector<Placed> distractors_;
  std::vector<float> sums_;  // scratch of extend()
};

/// Each image's least level becomes 0 and its greatest 255.
std::vector<std::uint8_t> stretch(const std::vector<float>& image) {
  const auto [least, most] = std::minmax_element(image.begin(), image.end());
  const float low = *least;
  const float scale = 255.0F / (*most - low);
  std::vector<std::uint8_t> out(image.size());
  for (std::size_t i = 0; i < image.size(); ++i) {
    if (image[i] == low) continue;  // most of the image
    out[i] = static_cast<std::uint8_t>(std::lround((image[i] - low) * scale));
  }
  return out;
}

}  // namespace

struct PathfinderGenerator::Impl {
  explicit Impl(PathfinderRules chosen) : rules(std::move(chosen)) {
    for (const int margin : rules.margins) tables.emplace_back(rules, margin);
  }
  PathfinderRules rules;
  std::vector<PathfinderTables> tables;  // one a margin
};

PathfinderGenerator::PathfinderGenerator(PathfinderRules rules)
    : impl_(std::make_unique<Impl>(std::move(rules))) {}
PathfinderGenerator::~PathfinderGenerator() = default;

const PathfinderRules& PathfinderGenerator::rules() const { return impl_->rules; }

PathfinderImage PathfinderGenerator::generate(std::uint64_t seed, std::int64_t index) const {
  const PathfinderRules& rules = impl_->rules;
  CounterRandom random(seed, static_cast<std::uint64_t>(index));
  const int label = random.between(0, 1);
  const PathfinderTables& tables =
      impl_->tables[random.below(static_cast<std::uint32_t>(impl_->tables.size()))];
  Drawing drawing(rules, tables, random);
  PathfinderImage image = drawing.draw();
  image.label = label;
  image.margin = tables.margin;
  const auto first = static_cast<std::size_t>(random.between(0, 1));
  image.marker = {image.origin[first], image.terminal[label == 1 ? first : 1 - first]};
  std::vector<float> grey = drawing.render();
  for (const Point& marker : image.marker) draw_marker(rules, marker, grey);
  image.pixels = stretch(grey);
  return image;
}

}  // namespace longconv::data
