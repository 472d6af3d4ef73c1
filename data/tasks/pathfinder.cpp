#include "data/tasks/pathfinder.h"

#include "core/base/check.h"
#include "data/tasks/image_batch.h"
#include "data/tasks/ordered_work.h"
#include "data/tasks/sample_facts.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace longconv::data {

namespace {

PathfinderRules rules_of(const PathfinderConfig& config) {
  const std::int64_t scale = config.construction() == "native" ? 1 : 2;
  PathfinderRules rules = pathfinder_rules(config.size() / scale, config.contour_paddles());
  if (config.distractors() > 0) rules.distractors = static_cast<int>(config.distractors());
  rules.all_seed_directions = config.all_seed_directions();
  return rules;
}

/// Twice the side; every old pixel becomes four. Bilinear: between the centres of old pixels.
std::vector<std::uint8_t> enlarge(const std::vector<std::uint8_t>& image, int side, bool bilinear) {
  const int target = 2 * side;
  const auto width = static_cast<std::size_t>(side);
  const auto old = [&](int y, int x) {
    return int{image[static_cast<std::size_t>(std::clamp(y, 0, side - 1)) * width +
                     static_cast<std::size_t>(std::clamp(x, 0, side - 1))]};
  };
  std::vector<std::uint8_t> out(static_cast<std::size_t>(target) *
                                static_cast<std::size_t>(target));
  for (int y = 0; y < target; ++y) {
    for (int x = 0; x < target; ++x) {
      std::uint8_t& pixel =
          out[2 * width * static_cast<std::size_t>(y) + static_cast<std::size_t>(x)];
      if (!bilinear) {
        pixel = static_cast<std::uint8_t>(old(y / 2, x / 2));
        continue;
      }
      // A new centre lies a quarter of an old pixel from the nearest old one: weights 3 and 1.
      const int dy = y % 2 == 0 ? -1 : 1;
      const int dx = x % 2 == 0 ? -1 : 1;
      const int sum = 9 * old(y / 2, x / 2) + 3 * old(y / 2 + dy, x / 2) +
                      3 * old(y / 2, x / 2 + dx) + old(y / 2 + dy, x / 2 + dx);
      pixel = static_cast<std::uint8_t>((sum + 8) / 16);
    }
  }
  return out;
}

std::string made_json(const PathfinderConfig& config, const PathfinderRules& rules) {
  return fmt::format(R"({{"size":{},"contour_paddles":{},"seed":{},"distractors_wanted":{},)"
                     R"("all_seed_directions":{},"construction":"{}","level":"{}"}})",
                     config.size(), rules.contour_paddles, config.seed(), rules.distractors,
                     rules.all_seed_directions, config.construction(),
                     rules.contour_paddles == 14  ? "hard"
                     : rules.contour_paddles == 9 ? "intermediate"
                                                  : "easy");
}

}  // namespace

PathfinderSource::PathfinderSource(const PathfinderConfig& config)
    : size_(config.size()),
      count_(config.count()),
      seed_(static_cast<std::uint64_t>(config.seed())),
      construction_(config.construction()),
      generator_(rules_of(config)) {}

PathfinderImage PathfinderSource::make(std::int64_t index) const {
  PathfinderImage image = generator_.generate(seed_, index);
  if (construction_ == "native") return image;
  image.pixels =
      enlarge(image.pixels, generator_.rules().size, construction_ == "upscale_bilinear");
  for (auto* pair : {&image.origin, &image.terminal, &image.marker}) {
    for (Point& point : *pair) point = {2 * point.y, 2 * point.x};
  }
  return image;
}

Generated write_pathfinder(const PathfinderConfig& config, const std::filesystem::path& path,
                           std::int64_t threads) {
  const auto begin = std::chrono::steady_clock::now();
  const PathfinderSource source(config);
  SampleFacts facts;
  facts.task = "pathfinder";
  facts.columns = {"label",     "margin",    "attempts",    "distractors",
                   "origin0_y", "origin0_x", "terminal0_y", "terminal0_x",
                   "origin1_y", "origin1_x", "terminal1_y", "terminal1_x",
                   "marker0_y", "marker0_x", "marker1_y",   "marker1_x"};
  facts.classes = {"different contours", "same contour"};
  facts.made_json = made_json(config, source.rules());

  SampleLayout layout;
  layout.vocabulary = 256;
  layout.classes = 2;
  layout.height = layout.width = static_cast<int>(source.size());
  layout.channels = 1;
  layout.columns = static_cast<int>(facts.columns.size());
  SampleShardWriter writer(path, layout);
  const auto block = std::max<std::int64_t>(1, 8192 / source.size());
  in_order(
      source.count(), threads, block, [&](std::int64_t i) { return source.make(i); },
      [&](const PathfinderImage& image) {
        writer.add_part(std::span(image.pixels));
        const auto& o = image.origin;
        const auto& t = image.terminal;
        const auto& m = image.marker;
        const std::array<std::int32_t, 16> row = {image.label,
                                                  image.margin,
                                                  static_cast<std::int32_t>(image.attempts),
                                                  image.distractors,
                                                  o[0].y,
                                                  o[0].x,
                                                  t[0].y,
                                                  t[0].x,
                                                  o[1].y,
                                                  o[1].x,
                                                  t[1].y,
                                                  t[1].x,
                                                  m[0].y,
                                                  m[0].x,
                                                  m[1].y,
                                                  m[1].x};
        writer.add_row(row);
      });
  writer.finish(to_json(facts));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {source.count(), seconds.count()};
}

PathfinderStream::PathfinderStream(const PathfinderConfig& config, const PixelConfig& pixels,
                                   std::vector<std::int64_t> indices)
    : source_(config),
      transform_(pixels,
                 {static_cast<int>(config.size()), static_cast<int>(config.size()), 1, {}, {}}),
      indices_(std::move(indices)) {}

std::int64_t PathfinderStream::size() const { return static_cast<std::int64_t>(indices_.size()); }
std::int64_t PathfinderStream::seq_len() const { return transform_.length(); }

Batch PathfinderStream::get(std::span<const std::int64_t> indices) const {
  return image_batch(transform_, indices, indices_,
                     [&](std::int64_t index, std::vector<std::int64_t>& levels) {
                       const PathfinderImage image = source_.make(index);
                       levels.assign(image.pixels.begin(), image.pixels.end());
                       return std::int64_t{image.label};
                     });
}

}  // namespace longconv::data
