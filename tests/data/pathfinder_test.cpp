#include "data/tasks/pathfinder.h"

#include "core/base/error.h"
#include "data/tasks/pathfinder_statistics.h"
#include "data/tasks/pathfinder_tables.h"
#include "data/tasks/samples.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace longconv::data {
namespace {

using test::message_of;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Calibration {
  int size, margin;
  double line, deviation, mask, solid, disc;
};

TEST(PathfinderStamps, WeighWhatThePublishedOnesWeigh) {
  // Sums over all 360 whole degrees: of a paddle, of its mask, of the mask's full pixels; a disc's.
  const Calibration rows[] = {
      {32, 1, 1.50, 0.19, 8.6, 2.6, 7.47},     {64, 1, 5.80, 1.08, 19.2, 6.5, 20.5},
      {128, 2, 8.61, 1.34, 45.0, 14.2, 28.5},  {128, 3, 8.56, 1.33, 74.8, 32.8, 28.5},
      {256, 3, 11.05, 1.09, 80.3, 35.9, 79.5}, {512, 6, 41.2, 2.3, 316, 217, 314.5}};
  for (const Calibration& row : rows) {
    const PathfinderRules rules = pathfinder_rules(row.size, 14);
    double sum = 0;
    double squares = 0;
    double mask = 0;
    double solid = 0;
    for (int degree = -180; degree < 180; ++degree) {
      const PaddleStamp stamp = paddle_stamp(rules, row.margin, degree * std::numbers::pi / 180);
      const auto& line = stamp.line.pixels;
      const double here = std::accumulate(line.begin(), line.end(), 0.0) / 255;
      sum += here / 360;
      squares += here * here / 360;
      const auto& around = stamp.mask.pixels;
      mask += std::accumulate(around.begin(), around.end(), 0.0) / 255 / 360;
      solid += static_cast<double>(std::count(around.begin(), around.end(), 255)) / 360;
    }
    EXPECT_NEAR(sum, row.line, 0.006 + 0.001 * row.line) << row.size;
    EXPECT_NEAR(std::sqrt(squares - sum * sum), row.deviation, 0.01) << row.size;
    EXPECT_NEAR(mask, row.mask, 0.06 + 0.001 * row.mask) << row.size;
    EXPECT_NEAR(solid, row.solid, 0.07) << row.size;
    std::vector<float> image(static_cast<std::size_t>(row.size * row.size));
    draw_marker(rules, {row.size / 2, row.size / 2}, image);
    EXPECT_NEAR(std::accumulate(image.begin(), image.end(), 0.0) / 255, row.disc, 0.04);
    EXPECT_EQ(*std::max_element(image.begin(), image.end()), 255.0F);
  }
}

/// "-150..-121" for each run of directions that a first paddle can take.
std::string usable_directions(int size, int margin) {
  const PathfinderTables tables(pathfinder_rules(size, 14), margin);
  std::string out;
  for (int degree = 0; degree < kDegrees; ++degree) {
    const auto usable = [&](int at) {
      return at >= 0 && at < kDegrees && tables.seeds[static_cast<std::size_t>(at)].usable;
    };
    if (usable(degree) && !usable(degree - 1)) out += std::to_string(degree - 180) + "..";
    if (usable(degree) && !usable(degree + 1)) out += std::to_string(degree - 180) + " ";
  }
  return out;
}

TEST(PathfinderTables, LimitFirstPaddlesAsThePublishedGeneratorDoes) {
  EXPECT_EQ(usable_directions(32, 1), "-150..-121 ");
  EXPECT_EQ(usable_directions(64, 1), "-180..-136 -134..-85 ");
  EXPECT_EQ(usable_directions(128, 2), "-180..-60 -53..179 ");
  EXPECT_EQ(usable_directions(128, 3), "-180..179 ");
}

TEST(Pathfinder, LooksLikeThePublishedImages) {
  // The whole of it, with more images, is `bench_pathfinder`.
  for (const PathfinderReference& want : pathfinder_references()) {
    if (want.size == 512 || (want.size == 64 && want.contour_paddles == 14)) continue;
    const PathfinderGenerator generator(pathfinder_rules(want.size, want.contour_paddles));
    const std::int64_t count = want.size == 32 ? 2000 : 400;
    const PathfinderStatistics got = measure_pathfinder(generator, 7, count, 2);
    PathfinderReference small = want;
    if (count < 1000) small.interval_rule = 0;  // fitted to so few, it says little
    EXPECT_THAT(pathfinder_gates(got, small), ElementsAre())
        << want.size << " " << want.contour_paddles;
  }
}

TEST(Pathfinder, FailsItsGatesWhenTheImagesAreOthers) {
  const PathfinderReference& hard = pathfinder_references().front();
  PathfinderRules rules = pathfinder_rules(32, 14);
  rules.all_seed_directions = true;
  const PathfinderStatistics lifted = measure_pathfinder(PathfinderGenerator(rules), 7, 1000, 2);
  EXPECT_THAT(pathfinder_gates(lifted, hard), ::testing::Contains(HasSubstr("grey: 2")));
  EXPECT_NEAR(lifted.grey.mean, 27.7, 0.6) << "what the published set would be without its rule";
  EXPECT_NEAR(lifted.placed, 4.7, 0.2);
  EXPECT_FALSE(
      pathfinder_gates(measure_pathfinder(PathfinderGenerator(pathfinder_rules(32, 9)), 7, 1000, 2),
                       hard)
          .empty());
}

TEST(Pathfinder, AnImageIsAPureFunctionOfSeedAndIndex) {
  const PathfinderGenerator one(pathfinder_rules(32, 14));
  const PathfinderGenerator two(pathfinder_rules(32, 14));
  const PathfinderImage image = one.generate(3, 17);
  EXPECT_EQ(image.pixels, two.generate(3, 17).pixels);
  EXPECT_NE(image.pixels, one.generate(3, 18).pixels);
  EXPECT_NE(image.pixels, one.generate(4, 17).pixels);
  EXPECT_EQ(*std::max_element(image.pixels.begin(), image.pixels.end()), 255);
}

TEST(Pathfinder, DiscsLieOnTheEndsThatTheLabelSays) {
  const PathfinderGenerator generator(pathfinder_rules(128, 6));
  int positive = 0;
  for (int i = 0; i < 40; ++i) {
    const PathfinderImage image = generator.generate(1, i);
    const auto is = [](Point a, Point b) { return a.y == b.y && a.x == b.x; };
    const std::size_t first = is(image.marker[0], image.origin[0]) ? 0 : 1;
    EXPECT_TRUE(is(image.marker[0], image.origin[first]));
    EXPECT_TRUE(is(image.marker[1], image.terminal[image.label == 1 ? first : 1 - first]));
    for (const Point& marker : image.marker) {
      EXPECT_GE(image.pixels[static_cast<std::size_t>(marker.y * 128 + marker.x)], 254);
    }
    positive += image.label;
  }
  EXPECT_GT(positive, 5);
  EXPECT_LT(positive, 35);
}

void set_small(PathfinderConfig& config, std::int64_t count = 60) {
  config.contour_paddles.set(6);
  config.count.set(count);
}

TEST(Pathfinder, AShardHasTheSameBytesForAnyNumberOfThreads) {
  const test::ScratchFolder folder;
  PathfinderConfig config;
  set_small(config, 700);
  for (const int threads : {1, 2, 7}) {
    write_pathfinder(config, folder / std::to_string(threads), threads);
  }
  EXPECT_TRUE(slurp(folder / "1") == slurp(folder / "2"));
  EXPECT_TRUE(slurp(folder / "1") == slurp(folder / "7"));
  config.seed.set(1);
  write_pathfinder(config, folder / "other", 2);
  EXPECT_FALSE(slurp(folder / "1") == slurp(folder / "other"));
}

TEST(Pathfinder, StreamedAndStoredItGivesTheSameBatches) {
  const test::ScratchFolder folder;
  PathfinderConfig config;
  set_small(config);
  write_pathfinder(config, folder / "a.lcs", 2);
  SampleConfig stored;
  stored.path.set((folder / "a.lcs").string());
  const auto shard = std::make_shared<SampleDataset>(stored);
  const auto stream = std::make_shared<PathfinderStream>(
      config, stored.pixels, split_indices(stored.split, config.count(), {}));
  EXPECT_EQ(shard->size(), 48);
  EXPECT_EQ(shard->seq_len(), 1024);
  LoaderOptions options;
  options.batch_size = 7;
  options.seed = 5;
  options.workers = 2;
  Loader from_shard(shard, options);
  Loader from_stream(stream, options);
  for (int i = 0; i < 20; ++i) {
    const Batch a = from_shard.next();
    const Batch b = from_stream.next();
    ASSERT_TRUE(a.input.equal(b.input)) << i;
    ASSERT_TRUE(a.target.equal(b.target)) << i;
  }
  EXPECT_EQ(shard->get(std::vector<std::int64_t>{0, 1}).input.sizes(),
            (at::IntArrayRef{2, 1024, 1}));
}

TEST(Pathfinder, EnlargesPath256WhereAsked) {
  PathfinderConfig config;
  config.size.set(512);
  const auto image_of = [&](const std::string& construction) {
    config.construction.set(construction);
    return PathfinderSource(config).make(3);
  };
  const PathfinderImage nearest = image_of("upscale_nearest");
  const PathfinderImage bilinear = image_of("upscale_bilinear");
  const PathfinderImage small = PathfinderGenerator(pathfinder_rules(256, 14)).generate(2222, 3);
  ASSERT_EQ(nearest.pixels.size(), 512U * 512U);
  EXPECT_EQ(nearest.marker[0].y, 2 * small.marker[0].y);
  std::int64_t sum = 0;
  std::int64_t smooth = 0;
  for (std::size_t i = 0; i < nearest.pixels.size(); ++i) {
    ASSERT_EQ(nearest.pixels[i], small.pixels[i / 1024 * 256 + i % 512 / 2]);
    sum += nearest.pixels[i];
    smooth += bilinear.pixels[i];
  }
  EXPECT_NEAR(static_cast<double>(smooth), static_cast<double>(sum),
              0.02 * static_cast<double>(sum));
  EXPECT_NE(nearest.pixels, bilinear.pixels);
}

TEST(Pathfinder, KnowsWhichSetsThereAre) {
  EXPECT_THAT(message_of<ConfigError>([] { pathfinder_rules(100, 14); }),
              HasSubstr("size 100: expected 32, 64, 128, 256 or 512"));
  EXPECT_THAT(message_of<ConfigError>([] { pathfinder_rules(32, 7); }), HasSubstr("7 paddles"));
  EXPECT_EQ(pathfinder_rules(128, 9).distractors, 11);
  EXPECT_EQ(pathfinder_rules(256, 6).distractors, 15);
  EXPECT_EQ(pathfinder_rules(512, 14).distractors, 7);
}

}  // namespace
}  // namespace longconv::data
