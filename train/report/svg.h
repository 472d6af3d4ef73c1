// A line chart as one <svg> element: axes, ticks, grid, legend; no script, no font, no style sheet.
//
// Text and axes are drawn in currentColor and the series in mid-tones, so that the chart can be
// read on a light and on a dark page alike. It stands inside HTML or, as it is, in a file of its
// own.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace longconv::train {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< (x, y), x ascending; a NaN breaks the line
  bool dashed = false;
  int colour = 0;  ///< index into the palette, taken modulo its size
};

struct ChartOptions {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_y = false;  ///< values <= 0 are then left out
  int width = 720;     ///< of the view box; the element scales with the page
  int height = 320;
};

/// Longer series than the chart has pixels keep each pixel column's first, lowest, highest and last
/// point: the same picture, without megabytes. Without any finite point the chart says "no data".
std::string line_chart(const std::vector<Series>& series, const ChartOptions& options);

/// Round tick values (1, 2, 5 times a power of ten) within [low, high], at most `most` of them.
std::vector<double> linear_ticks(double low, double high, int most);
/// Powers of ten within [low, high], with their 2 and 5 multiples if there are few.
std::vector<double> log_ticks(double low, double high, int most);

/// The palette's colour as "#rrggbb".
std::string series_colour(int index);

}  // namespace longconv::train
