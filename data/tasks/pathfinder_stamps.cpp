#include "data/tasks/pathfinder_stamps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numbers>

namespace longconv::data {

namespace {

/// The reduction of a line of `in` pixels to `out`: which pixels an output sums, with what weights.
class Lanczos {
 public:
  Lanczos(int in, int out) : in_(in), scale_(static_cast<double>(in) / out) {}

  struct Taps {
    int first = 0;
    std::vector<std::int64_t> weights;  // fixed point, kBits
  };
  [[nodiscard]] Taps taps(int output) const {
    const double support = kLobes * scale_;
    const double centre = (output + 0.5) * scale_;
    // Truncated towards zero, negative begins too.
    const int first = std::max(static_cast<int>(std::trunc(centre - support + 0.5)), 0);
    const int last = std::min(static_cast<int>(std::trunc(centre + support + 0.5)), in_);
    std::vector<double> weights;
    double sum = 0.0;
    for (int i = first; i < last; ++i) {
      weights.push_back(kernel((i - centre + 0.5) / scale_));
      sum += weights.back();
    }
    Taps out{first, {}};
    for (const double weight : weights) {
      out.weights.push_back(std::llround(weight / sum * kOne));
    }
    return out;
  }
  /// The weighted sum to 8 bits: rounded, clamped.
  static std::uint8_t grey(std::int64_t sum) {
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>((sum + kOne / 2) >> kBits, 0, 255));
  }

 private:
  static constexpr int kLobes = 3;
  static constexpr int kBits = 22;
  static constexpr std::int64_t kOne = std::int64_t{1} << kBits;

  static double sinc(double x) {
    if (x == 0.0) return 1.0;
    return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
  }
  static double kernel(double x) { return std::abs(x) < kLobes ? sinc(x) * sinc(x / kLobes) : 0.0; }

  int in_;
  double scale_;
};

/// Outputs [first_y, first_y + rows) x [first_x, first_x + columns) of the reduction of a square
/// whose pixels source(y, x) tells; first along x, then along y, each pass rounded to 8 bits.
template <class Source>
std::vector<std::uint8_t> reduce(const Lanczos& lanczos, int first_y, int rows, int first_x,
                                 int columns, const Source& source) {
  std::vector<Lanczos::Taps> across;
  std::vector<Lanczos::Taps> down;
  across.reserve(static_cast<std::size_t>(columns));
  down.reserve(static_cast<std::size_t>(rows));
  for (int x = 0; x < columns; ++x) across.push_back(lanczos.taps(first_x + x));
  for (int y = 0; y < rows; ++y) down.push_back(lanczos.taps(first_y + y));
  const int top = down.front().first;
  const int bottom = down.back().first + static_cast<int>(down.back().weights.size());

  const auto width = static_cast<std::size_t>(columns);
  std::vector<std::uint8_t> narrow(static_cast<std::size_t>(bottom - top) * width);
  for (int y = top; y < bottom; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      std::int64_t sum = 0;
      int at = across[x].first;
      for (const std::int64_t weight : across[x].weights) sum += weight * source(y, at++);
      narrow[static_cast<std::size_t>(y - top) * width + x] = Lanczos::grey(sum);
    }
  }
  std::vector<std::uint8_t> out(static_cast<std::size_t>(rows) * width);
  for (std::size_t y = 0; y < down.size(); ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      std::int64_t sum = 0;
      auto at = static_cast<std::size_t>(down[y].first - top);
      for (const std::int64_t weight : down[y].weights) sum += weight * narrow[at++ * width + x];
      out[y * width + x] = Lanczos::grey(sum);
    }
  }
  return out;
}

/// A square of 0 and 255 around the point (0, 0).
struct Drawing {
  explicit Drawing(int reach) : radius(reach), side(2 * reach + 1) {
    pixels.assign(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), 0);
  }
  void set(int y, int x) {
    if (std::abs(y) > radius || std::abs(x) > radius) return;
    pixels[static_cast<std::size_t>(y + radius) * static_cast<std::size_t>(side) +
           static_cast<std::size_t>(x + radius)] = 255;
  }
  [[nodiscard]] std::uint8_t at(int row, int column) const {
    return pixels[static_cast<std::size_t>(row) * static_cast<std::size_t>(side) +
                  static_cast<std::size_t>(column)];
  }
  int radius;
  int side;
  std::vector<std::uint8_t> pixels;
};

/// Bresenham's line from the middle to `end`, both included.
void draw_thin(Drawing& drawing, Point end) {
  const int dx = std::abs(end.x);
  const int dy = std::abs(end.y);
  const int step_x = end.x < 0 ? -1 : 1;
  const int step_y = end.y < 0 ? -1 : 1;
  // A tie steps sideways: error >= 0.
  const bool flat = dx > dy;
  const int major = flat ? dx : dy;
  const int minor = flat ? dy : dx;
  int error = 2 * minor - major;
  Point at;
  for (int i = 0; i <= major; ++i) {
    drawing.set(at.y, at.x);
    if (error >= 0) {
      (flat ? at.y : at.x) += flat ? step_y : step_x;
      error -= 2 * major;
    }
    error += 2 * minor;
    (flat ? at.x : at.y) += flat ? step_x : step_y;
  }
}

/// Half away from zero, and half towards it.
int round_out(double f) {
  return static_cast<int>(f >= 0 ? std::floor(f + 0.5) : -std::floor(-f + 0.5));
}
int round_in(double f) {
  return static_cast<int>(f >= 0 ? std::ceil(f - 0.5) : -std::ceil(-f - 0.5));
}

/// A line of `width` >= 2 from the middle to `end`: a quadrilateral, filled row by row. Even widths
/// lie half a pixel to one side.
void draw_thick(Drawing& drawing, Point end, int width) {
  const double length = std::hypot(end.x, end.y);
  if (length == 0.0) return;
  const double half = (width - 1) / 2.0;
  const double more = round_out(half) / length;
  const double less = round_in(half) / length;
  const int ax = round_in(less * end.y);
  const int bx = round_in(more * end.y);
  const int ay = round_out(more * end.x);
  const int by = round_out(less * end.x);
  const std::array<Point, 4> corner = {
      {{ay, -ax}, {end.y + ay, end.x - ax}, {end.y - by, end.x + bx}, {-by, bx}}};
  int top = corner[0].y;
  int bottom = top;
  for (const Point& point : corner) {
    top = std::min(top, point.y);
    bottom = std::max(bottom, point.y);
  }
  for (int y = top; y <= bottom; ++y) {
    double low = 1e9;
    double high = -1e9;
    for (std::size_t i = 0; i < corner.size(); ++i) {
      const Point& a = corner[i];
      const Point& b = corner[(i + 1) % corner.size()];
      if (y < std::min(a.y, b.y) || y > std::max(a.y, b.y)) continue;
      const auto widen = [&](double x) {
        low = std::min(low, x);
        high = std::max(high, x);
      };
      if (a.y == b.y) {
        widen(a.x);
        widen(b.x);
      } else {
        widen(a.x + static_cast<double>(b.x - a.x) * (y - a.y) / (b.y - a.y));
      }
    }
    // Rounded as columns of the square, which are positive: halves go away from zero on the left.
    int from = round_out(low + drawing.radius) - drawing.radius;
    int to = round_in(high + drawing.radius) - drawing.radius;
    if (from > to) std::swap(from, to);
    for (int x = from; x <= to; ++x) drawing.set(y, x);
  }
}

Stamp reduced(const Drawing& drawing, int radius) {
  const int side = 2 * radius + 1;
  return {radius, reduce(Lanczos(drawing.side, side), 0, side, 0, side,
                         [&](int y, int x) { return drawing.at(y, x); })};
}

}  // namespace

Step::Step(double theta, double distance)
    : y(distance * std::sin(theta)), x(distance * std::cos(theta)) {}

Point Step::from(Point p) const {
  return {static_cast<int>(std::ceil(p.y + y)), static_cast<int>(std::ceil(p.x + x))};
}

std::vector<Point> disk(int radius) {
  std::vector<Point> out;
  for (int y = -radius; y <= radius; ++y) {
    for (int x = -radius; x <= radius; ++x) {
      if (y * y + x * x <= radius * radius) out.push_back({y, x});
    }
  }
  return out;
}

PaddleStamp paddle_stamp(const PathfinderRules& rules, int margin, double theta) {
  const int radius =
      rules.paddle_length + static_cast<int>(std::ceil(rules.paddle_thickness)) + margin;
  const int width = static_cast<int>(std::lround(rules.paddle_thickness * rules.supersampling));
  Drawing line(radius * rules.supersampling);
  Point end = Step(theta, rules.paddle_length * rules.supersampling)
                  .from({line.radius, line.radius});  // as coordinates of the square
  end = {end.y - line.radius, end.x - line.radius};
  if (width == 1) {
    draw_thin(line, end);
  } else {
    draw_thick(line, end, width);
  }
  Drawing mask(line.radius);
  const std::vector<Point> around = disk(margin * rules.supersampling);
  for (int y = 0; y < line.side; ++y) {
    for (int x = 0; x < line.side; ++x) {
      if (line.at(y, x) == 0) continue;
      for (const Point& offset : around) {
        mask.set(y - line.radius + offset.y, x - line.radius + offset.x);
      }
    }
  }
  return {reduced(line, radius), reduced(mask, radius)};
}

void draw_marker(const PathfinderRules& rules, Point centre, std::vector<float>& image) {
  // Lanczos-3 spreads an edge over three pixels.
  const int reach = static_cast<int>(std::ceil(rules.marker_radius)) + 4;
  const int top = std::max(centre.y - reach, 0);
  const int left = std::max(centre.x - reach, 0);
  const int bottom = std::min(centre.y + reach, rules.size - 1);
  const int right = std::min(centre.x + reach, rules.size - 1);
  const double limit = std::pow(rules.marker_radius * rules.supersampling, 2);
  const auto inside = [&](int y, int x) {
    const double dy = y - centre.y * rules.supersampling;
    const double dx = x - centre.x * rules.supersampling;
    return dy * dy + dx * dx <= limit ? 255 : 0;
  };
  const int columns = right - left + 1;
  const std::vector<std::uint8_t> disc =
      reduce(Lanczos(rules.size * rules.supersampling, rules.size), top, bottom - top + 1, left,
             columns, inside);
  for (int y = top; y <= bottom; ++y) {
    float* row = image.data() + static_cast<std::ptrdiff_t>(y) * rules.size + left;
    const std::uint8_t* from = disc.data() + static_cast<std::ptrdiff_t>(y - top) * columns;
    for (int x = 0; x < columns; ++x) row[x] = std::max(row[x], static_cast<float>(from[x]));
  }
}

}  // namespace longconv::data
