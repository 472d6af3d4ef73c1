#include "train/report/svg.h"

#include "train/report/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace longconv::train {
namespace {

// Each at least 3:1 against white and against #1b1b1d, and told apart in the common colour
// blindnesses by lightness where hue fails.
constexpr std::array<const char*, 8> kPalette = {"#3987e5", "#d2681d", "#1f9a72", "#c2569b",
                                                 "#8a6fe0", "#a58a12", "#2b97ad", "#d4525e"};
constexpr double kLargest =
    1e150;  // beyond it (or NaN) nothing is drawn, so that no range overflows
constexpr int kPixelsPerXTick = 90;
constexpr int kPixelsPerYTick = 40;
constexpr std::size_t kMostMarkers = 40;  // few points are drawn as dots too, with their value

using Point = std::pair<double, double>;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  [[nodiscard]] bool empty() const { return low > high; }
  [[nodiscard]] double size() const { return std::max(std::abs(low), std::abs(high)); }
  /// Too narrow to tell its ends apart on an axis.
  [[nodiscard]] bool is_flat() const { return high - low <= 1e-9 * size() + 1.0 / kLargest; }
};

// Data to pixels of the view box.
struct Axes {
  double left, top, right, bottom;
  Range x, y;
  bool log_y;

  [[nodiscard]] double scale(double value) const { return log_y ? std::log10(value) : value; }
  [[nodiscard]] double px(double value) const {
    return left + (value - x.low) / (x.high - x.low) * (right - left);
  }
  [[nodiscard]] double py(double value) const {
    const double low = scale(y.low);
    return bottom - (scale(value) - low) / (scale(y.high) - low) * (bottom - top);
  }
  [[nodiscard]] bool shows(const Point& point) const {
    return std::abs(point.first) < kLargest && std::abs(point.second) < kLargest &&
           (!log_y || point.second > 1.0 / kLargest);
  }
};

Axes fit(const std::vector<Series>& series, const ChartOptions& options) {
  Axes axes{};
  axes.log_y = options.log_y;
  axes.x = axes.y = Range{};
  for (const Series& one : series) {
    for (const Point& point : one.points) {
      if (!axes.shows(point)) continue;
      axes.x.include(point.first);
      axes.y.include(point.second);
    }
  }
  if (axes.x.empty()) return axes;
  if (axes.x.is_flat()) {
    const double air = std::max(0.5, 1e-6 * axes.x.size());
    axes.x = {axes.x.low - air, axes.x.high + air};
  }
  // A little air above and below; a flat line gets a range of its own size.
  if (axes.log_y) {
    const double air = axes.y.is_flat() ? 1.25 : std::pow(axes.y.high / axes.y.low, 0.04);
    axes.y = {axes.y.low / air, axes.y.high * air};
  } else {
    const double span = axes.y.high - axes.y.low;
    const double air = !axes.y.is_flat()                ? 0.04 * span
                       : axes.y.size() > 1.0 / kLargest ? 0.1 * axes.y.size()
                                                        : 0.5;
    // Quantities that never go below zero start there when they come near it.
    const bool from_zero = axes.y.low >= 0.0 && axes.y.low < 0.25 * span;
    axes.y = {from_zero ? 0.0 : axes.y.low - air, axes.y.high + air};
  }
  return axes;
}

// Per pixel column the first, lowest, highest and last point, in their order.
std::vector<Point> thin(const std::vector<Point>& points, const Axes& axes) {
  if (static_cast<double>(points.size()) <= 4.0 * (axes.right - axes.left)) return points;
  std::vector<Point> out;
  for (std::size_t start = 0; start < points.size();) {
    if (!axes.shows(points[start])) {
      if (out.empty() || axes.shows(out.back())) out.push_back(points[start]);
      ++start;
      continue;
    }
    const double column = std::floor(axes.px(points[start].first));
    std::size_t end = start;
    std::size_t low = start;
    std::size_t high = start;
    for (; end < points.size() && axes.shows(points[end]) &&
           std::floor(axes.px(points[end].first)) <= column;
         ++end) {
      if (points[end].second < points[low].second) low = end;
      if (points[end].second > points[high].second) high = end;
    }
    std::array<std::size_t, 4> keep = {start, low, high, end - 1};
    std::sort(keep.begin(), keep.end());
    const auto last = std::unique(keep.begin(), keep.end());
    for (auto at = keep.begin(); at != last; ++at) out.push_back(points[*at]);
    start = end;
  }
  return out;
}

// currentColor at reduced strength: readable on any background.
void text(std::string& out, double x, double y, const char* anchor, const std::string& words,
          const char* more = "") {
  fmt::format_to(std::back_inserter(out),
                 R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" fill="currentColor"{}>{}</text>)"
                 "\n",
                 x, y, anchor, more, escape(words));
}

// "0.002", "1.5", "250", "20k": ticks are round, so three digits say all.
std::string tick_label(double value) {
  if (std::abs(value) < 1000.0 || std::abs(value) >= 1e15) return short_number(value);
  constexpr std::array<const char*, 5> kPrefixes = {"", "k", "M", "G", "T"};
  std::size_t step = 0;
  for (; std::abs(value) >= 1000.0 && step + 1 < kPrefixes.size(); ++step) value /= 1000.0;
  return short_number(value) + kPrefixes[step];
}

void grid_line(std::string& out, double x1, double y1, double x2, double y2, double opacity) {
  fmt::format_to(std::back_inserter(out),
                 R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="currentColor" )"
                 R"(stroke-opacity="{}"/>)"
                 "\n",
                 x1, y1, x2, y2, opacity);
}

void draw_axes(std::string& out, const Axes& axes, const ChartOptions& options) {
  const int most_y = std::max(2, static_cast<int>((axes.bottom - axes.top) / kPixelsPerYTick) + 1);
  const int most_x = std::max(2, static_cast<int>((axes.right - axes.left) / kPixelsPerXTick) + 1);
  for (const double tick : axes.log_y ? log_ticks(axes.y.low, axes.y.high, most_y)
                                      : linear_ticks(axes.y.low, axes.y.high, most_y)) {
    grid_line(out, axes.left, axes.py(tick), axes.right, axes.py(tick), 0.13);
    text(out, axes.left - 6, axes.py(tick) + 4, "end", tick_label(tick));
  }
  for (const double tick : linear_ticks(axes.x.low, axes.x.high, most_x)) {
    grid_line(out, axes.px(tick), axes.bottom, axes.px(tick), axes.bottom + 4, 0.6);
    text(out, axes.px(tick), axes.bottom + 17, "middle", tick_label(tick));
  }
  grid_line(out, axes.left, axes.bottom, axes.right, axes.bottom, 0.6);
  text(out, axes.right, axes.bottom + 33, "end", options.x_label, R"( fill-opacity="0.75")");
}

void draw_series(std::string& out, const Series& series, const Axes& axes) {
  const std::string colour = series_colour(series.colour);
  const std::vector<Point> points = thin(series.points, axes);
  std::string path;
  bool pen_down = false;
  for (const Point& point : points) {
    if (!axes.shows(point)) {
      pen_down = false;
      continue;
    }
    fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", pen_down ? "L" : "M",
                   axes.px(point.first), axes.py(point.second));
    pen_down = true;
  }
  if (path.empty()) return;
  fmt::format_to(std::back_inserter(out),
                 R"(<path d="{}" fill="none" stroke="{}" stroke-width="1.8" )"
                 R"(stroke-linejoin="round" stroke-linecap="round"{}><title>{}</title></path>)"
                 "\n",
                 path, colour, series.dashed ? R"( stroke-dasharray="6 4")" : "",
                 escape(series.name));
  if (points.size() > kMostMarkers) return;
  for (const Point& point : points) {
    if (!axes.shows(point)) continue;
    fmt::format_to(std::back_inserter(out),
                   R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"><title>{} at {}: {}</title>)"
                   "</circle>\n",
                   axes.px(point.first), axes.py(point.second), colour, escape(series.name),
                   short_number(point.first), short_number(point.second));
  }
}

// Rows of "-- name", wrapped at the right edge; returns the height they take. Widths are estimated
// (7 px a character at 12 px type), because no font is known here.
double draw_legend(std::string& out, const std::vector<Series>& series, double left, double top,
                   double right) {
  double x = left;
  double y = top;
  for (const Series& one : series) {
    const double width = 34.0 + 7.0 * static_cast<double>(one.name.size());
    if (x > left && x + width > right) {
      x = left;
      y += 18.0;
    }
    fmt::format_to(std::back_inserter(out),
                   R"(<line x1="{0:.1f}" y1="{1:.1f}" x2="{2:.1f}" y2="{1:.1f}" stroke="{3}" )"
                   R"(stroke-width="2.5"{4}/>)"
                   "\n",
                   x, y - 4, x + 20, series_colour(one.colour),
                   one.dashed ? R"( stroke-dasharray="6 4")" : "");
    text(out, x + 25, y, "start", one.name);
    x += width;
  }
  return y - top + 18.0;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int most) {
  if (!(high > low) || most < 1) return {};
  double step = std::pow(10.0, std::floor(std::log10((high - low) / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0, 20.0}) {
    if (std::floor(high / (step * factor)) - std::ceil(low / (step * factor)) + 1 <= most) {
      step *= factor;
      break;
    }
  }
  // Counted, not compared: where neighbouring doubles are more than 1 apart, ++n would stand still.
  const double first = std::ceil(low / step);
  const double last = std::floor(high / step);
  std::vector<double> ticks;
  for (int i = 0; i < most && first + i <= last; ++i) {
    ticks.push_back(first + i == 0.0 ? 0.0 : (first + i) * step);  // no -0
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int most) {
  if (!(low > 0.0) || !(high > low) || most < 1) return {};
  const auto ticks_with = [&](const std::vector<double>& factors, int every) {
    std::vector<double> ticks;
    const int last = static_cast<int>(std::floor(std::log10(high)));
    for (int power = static_cast<int>(std::floor(std::log10(low))); power <= last; ++power) {
      if (power % every != 0) continue;
      for (const double factor : factors) {
        const double tick = factor * std::pow(10.0, power);
        if (tick >= low && tick <= high) ticks.push_back(tick);
      }
    }
    return ticks;
  };
  // Less than a factor of about three holds too few such values: round linear ones serve better.
  if (high / low < 3.0) return linear_ticks(low, high, most);
  for (const auto& factors :
       {std::vector<double>{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 3, 5}, {1, 2, 5}}) {
    const std::vector<double> ticks = ticks_with(factors, 1);
    if (static_cast<int>(ticks.size()) <= most && ticks.size() > 1) return ticks;
  }
  int every = 1;
  while (static_cast<int>(ticks_with({1}, every).size()) > most) ++every;
  return ticks_with({1}, every);
}

std::string series_colour(int index) {
  return kPalette[static_cast<std::size_t>(index) % kPalette.size()];
}

std::string line_chart(const std::vector<Series>& series, const ChartOptions& options) {
  const double width = options.width;
  const double height = options.height;
  std::string out =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" )"
                  R"(font-family="system-ui, sans-serif" font-size="12"><title>{}</title>)"
                  "\n",
                  options.width, options.height, escape(options.title));
  text(out, 8, 18, "start", options.title, R"( font-size="14" font-weight="600")");
  Axes axes = fit(series, options);
  if (axes.x.empty()) {
    text(out, width / 2, height / 2, "middle", "no data");
    return out + "</svg>\n";
  }
  // One series needs no legend: the title names it.
  const double legend =
      series.size() > 1 ? draw_legend(out, series, 58.0, 40.0, width - 12.0) : 0.0;
  axes.left = 58.0;
  axes.right = width - 16.0;
  axes.top = 40.0 + legend + (options.y_label.empty() ? -8.0 : 8.0);
  axes.bottom = std::max(axes.top + 40.0, height - 42.0);
  text(out, 8, axes.top - 10, "start", options.y_label, R"( fill-opacity="0.75")");
  draw_axes(out, axes, options);
  for (const Series& one : series) draw_series(out, one, axes);
  return out + "</svg>\n";
}

}  // namespace longconv::train
