#include "data/tasks/pathfinder_rules.h"

#include "core/base/check.h"

#include <algorithm>
#include <iterator>

namespace longconv::data {

namespace {

// In the order of the table below, not of least padding.
struct Row {
  int size, padding, length;
  double thickness;
  std::vector<int> margins;
  int seed_distance;
  double marker_radius, continuity, snake_contrast, paddle_contrast;
  int distractor_budget;  // paddles of all distractors together
};

}  // namespace

PathfinderRules pathfinder_rules(std::int64_t size, std::int64_t contour_paddles) {
  // 32 to 256: the sets of the Long Range Arena. 512: every length of 256 doubled.
  static const Row rows[] = {
      // clang-format off
      // size pad length thick margins seed disc turn  snake paddle budget
      {32,    1,  2,     0.5,  {1},    7,   1.5, 1.0,  2.0,  0.75,  20},
      {64,    1,  5,     1.0,  {1},    12,  2.5, 1.8,  0.8,  1.0,   22},
      {128,   1,  5,     1.5,  {2, 3}, 20,  3.0, 1.8,  0.9,  1.0,   35},
      {256,   22, 5,     2.0,  {3},    27,  5.0, 1.8,  1.0,  1.0,   30},
      {512,   44, 10,    4.0,  {6},    54,  10., 1.8,  1.0,  1.0,   30},
      // clang-format on
  };
  const auto row = std::find_if(std::begin(rows), std::end(rows),
                                [&](const Row& candidate) { return candidate.size == size; });
  LONGCONV_CHECK(row != std::end(rows), ConfigError,
                 "pathfinder: size {}: expected 32, 64, 128, 256 or 512", size);
  LONGCONV_CHECK(
      contour_paddles == 6 || contour_paddles == 9 || contour_paddles == 14, ConfigError,
      "pathfinder: {} paddles a contour: expected 6 (easy), 9 (intermediate) or 14 (hard)",
      contour_paddles);
  PathfinderRules rules;
  rules.size = row->size;
  rules.padding = row->padding;
  rules.paddle_length = row->length;
  rules.paddle_thickness = row->thickness;
  rules.margins = row->margins;
  rules.seed_distance = row->seed_distance;
  rules.marker_radius = row->marker_radius;
  rules.contour_paddles = static_cast<int>(contour_paddles);
  rules.distractor_paddles = rules.contour_paddles / 3;
  rules.distractors = row->distractor_budget / rules.distractor_paddles;
  rules.continuity = row->continuity;
  rules.snake_contrast = row->snake_contrast;
  rules.paddle_contrast = row->paddle_contrast;
  return rules;
}

}  // namespace longconv::data
