#include "train/report/svg.h"

#include "tests/train/report/xml_check.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Series straight(const std::string& name, int points) {
  Series series{name, {}, false, 0};
  for (int i = 0; i < points; ++i) series.points.emplace_back(i, 2.0 * i);
  return series;
}

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(LineChart, IsWellFormedAndEscapesItsWords) {
  const std::string chart = line_chart({straight("a<b> & \"c\"", 5), straight("d", 5)},
                                       {"Loss <nats>", "step & more", "y'", false, 720, 320});
  const testing::XmlCheck check(chart);
  EXPECT_EQ(check.error(), "");
  EXPECT_THAT(check.content(), HasSubstr("Loss <nats>"));
  EXPECT_THAT(check.content(), HasSubstr("a<b> & \"c\""));
  EXPECT_THAT(check.content(), HasSubstr("step & more"));
  EXPECT_EQ(check.count("path"), 2);
  EXPECT_EQ(check.count("circle"), 10) << "few points are dots too";
}

TEST(LineChart, NeedsNothingFromElsewhere) {
  const std::string chart = line_chart({straight("a", 5)}, {"t", "x", "y", true, 720, 320});
  EXPECT_THAT(chart, Not(HasSubstr("href")));
  EXPECT_THAT(chart, Not(HasSubstr("url(")));
  EXPECT_THAT(chart, Not(HasSubstr("script")));
  EXPECT_THAT(chart, HasSubstr("currentColor")) << "axes follow the page's theme";
}

TEST(LineChart, MapsPointsToPixels) {
  // 101 points: no dots, so the path is all there is. y grows upwards, so pixels fall.
  const std::string chart = line_chart({straight("a", 101)}, {"t", "x", "", false, 720, 320});
  const std::size_t start = chart.find("<path d=\"M58.0 278.0L");  // the left end of both axes
  ASSERT_NE(start, std::string::npos) << chart;
  const std::string path = chart.substr(start, chart.find('"', start + 9) - start);
  EXPECT_EQ(count(path, "L"), 100);
  EXPECT_THAT(path, HasSubstr("L704.0 ")) << "the last point reaches the right end";
}

TEST(LineChart, ALogAxisMakesExponentialsStraight) {
  Series series{"a", {{0, 1.0}, {1, 10.0}, {2, 100.0}}, false, 0};
  const std::string chart = line_chart({series}, {"t", "", "", true, 720, 320});
  std::vector<double> y;
  for (std::size_t at = 0; (at = chart.find(" cy=\"", at)) != std::string::npos; ++at) {
    y.push_back(std::stod(chart.substr(at + 5)));
  }
  ASSERT_EQ(y.size(), 3U);
  EXPECT_NEAR(y[0] - y[1], y[1] - y[2], 0.11);  // coordinates have one decimal
  EXPECT_GT(y[0] - y[1], 50.0);
}

TEST(LineChart, BreaksWhereThereIsNoNumber) {
  const Series series{"a", {{0, 1}, {1, 2}, {2, kNan}, {3, 3}, {4, 4}}, false, 0};
  const std::string chart = line_chart({series}, {"t", "", "", false, 720, 320});
  const std::size_t start = chart.find("<path d=\"");
  const std::string path = chart.substr(start + 9, chart.find('"', start + 9) - start - 9);
  EXPECT_EQ(count(path, "M"), 2) << path;
  EXPECT_EQ(count(path, "L"), 2) << path;
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
}

TEST(LineChart, SaysWhenThereIsNothingToDraw) {
  const Series zeros{"a", {{0, 0.0}, {1, -1.0}}, false, 0};
  for (const std::string& chart :
       {line_chart({}, {"t", "", "", false, 720, 320}),
        line_chart({{"a", {{0, kNan}}, false, 0}}, {"t", "", "", false, 720, 320}),
        line_chart({zeros}, {"t", "", "", true, 720, 320})}) {
    EXPECT_THAT(chart, HasSubstr("no data"));
    EXPECT_EQ(testing::XmlCheck(chart).error(), "");
  }
}

TEST(LineChart, SurvivesUnkindNumbers) {
  const double huge = std::numeric_limits<double>::max();
  const double tiny = std::numeric_limits<double>::denorm_min();
  const std::vector<std::vector<std::pair<double, double>>> cases = {
      {{5, 3}},  // one point
      {{0, 0}, {1, 0}},
      {{0, 1e18}, {1, 1e18 + 256}},
      {{0, huge}, {1, -huge}, {2, 1}},
      {{0, tiny}, {1, 2 * tiny}},
      {{0, -5}, {1, std::numeric_limits<double>::infinity()}},
      {{1e15, 1}, {1e15 + 1, 2}},
      {{1e18, 1}}};
  for (const auto& points : cases) {
    for (const bool log_y : {false, true}) {
      const std::string chart =
          line_chart({{"a", points, false, 0}}, {"t", "", "", log_y, 720, 320});
      EXPECT_EQ(testing::XmlCheck(chart).error(), "");
      EXPECT_THAT(chart, Not(HasSubstr("nan\"")));
      EXPECT_THAT(chart, Not(HasSubstr("inf\"")));
      EXPECT_LT(chart.size(), 20'000U);
    }
  }
}

TEST(LineChart, LongSeriesKeepTheirSpikes) {
  Series series = straight("a", 200'000);
  for (auto& [x, y] : series.points) y = 1.0;
  series.points[123'456].second = 9.0;
  series.points[77'777].second = 0.5;
  const std::string chart = line_chart({series}, {"t", "", "", false, 720, 320});
  EXPECT_LT(chart.size(), 100'000U);
  std::vector<double> ys;
  const std::size_t start = chart.find("<path d=\"") + 9;
  const std::string path = chart.substr(start, chart.find('"', start) - start);
  for (std::size_t at = 0; (at = path.find(' ', at)) != std::string::npos; ++at) {
    ys.push_back(std::stod(path.substr(at + 1)));
  }
  const double common = ys.front();
  EXPECT_LT(*std::min_element(ys.begin(), ys.end()), common - 100.0) << "the spike upwards is gone";
  EXPECT_GT(*std::max_element(ys.begin(), ys.end()), common + 5.0) << "the dip is gone";
}

TEST(Ticks, AreRoundAndWithinTheRange) {
  EXPECT_EQ(linear_ticks(0.0, 10.0, 6), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(linear_ticks(-1.0, 1.0, 5), (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(linear_ticks(120.0, 590.0, 5), (std::vector<double>{200, 300, 400, 500}));
  EXPECT_EQ(log_ticks(0.5, 2000.0, 5), (std::vector<double>{1, 10, 100, 1000}));
  EXPECT_EQ(log_ticks(0.9, 12.0, 5), (std::vector<double>{1, 2, 3, 5, 10}));
  EXPECT_EQ(log_ticks(2.0, 4.1, 5), (std::vector<double>{2, 2.5, 3, 3.5, 4}));
  EXPECT_TRUE(linear_ticks(1.0, 1.0, 5).empty());
  EXPECT_TRUE(log_ticks(0.0, 1.0, 5).empty());
  for (const double low : {-3.7e-9, 0.013, 41.0, 9e11}) {
    for (const double span : {1e-3, 1.0, 7.7, 123456.0}) {
      const auto ticks = linear_ticks(low, low + span, 6);
      EXPECT_GE(ticks.size(), 2U) << low << " " << span;
      EXPECT_LE(ticks.size(), 6U) << low << " " << span;
      for (const double tick : ticks) EXPECT_TRUE(tick >= low && tick <= low + span);
    }
  }
}

}  // namespace
}  // namespace longconv::train
