// The Pathfinder task, made here: Pathfinder-32 and -64, Path-X (128), Path-256 and Path-512, as a
// shard on disk or streamed without one. docs/pathfinder.md shows them.
#pragma once

#include "core/config/section.h"
#include "data/loader/loader.h"
#include "data/tasks/pathfinder_generator.h"
#include "data/tasks/pixels.h"

#include <filesystem>
#include <memory>
#include <string>

namespace longconv::data {

struct PathfinderConfig : config::Section {
  explicit PathfinderConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Pathfinder images, generated") {}
  config::Key<std::int64_t> size{this, "size", 32,
                                 config::between(std::int64_t{32}, std::int64_t{512}),
                                 "side in pixels: 32, 64, 128 (Path-X), 256 or 512"};
  config::Key<std::int64_t> contour_paddles{
      this, "contour_paddles", 14, config::between(std::int64_t{6}, std::int64_t{14}),
      "dashes of a contour: 14 (hard, the benchmark's), 9 or 6"};
  config::Key<std::int64_t> count{this, "count", 200'000, config::at_least(std::int64_t{1}),
                                  "images of all splits together"};
  config::Key<std::int64_t> seed{this, "seed", 2222, config::at_least(std::int64_t{0}),
                                 "image i is a pure function of (seed, i) and the keys here"};
  config::Key<std::int64_t> distractors{this, "distractors", 0, config::at_least(std::int64_t{0}),
                                        "short contours wanted; 0 = as published for the size"};
  config::Key<bool> all_seed_directions{
      this, "all_seed_directions", false,
      "lift the published generator's limit on the first dashes' directions; not comparable then"};
  config::Key<std::string> construction{
      this, "construction", "native",
      config::one_of({"native", "upscale_bilinear", "upscale_nearest"}),
      "native, or images of half the size enlarged (512 from Path-256); never compare the two"};
};

/// Makes the images of a configuration; thread-safe.
class PathfinderSource {
 public:
  /// Throws ConfigError for a size or a number of paddles that nobody published.
  explicit PathfinderSource(const PathfinderConfig& config);
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] const PathfinderRules& rules() const { return generator_.rules(); }
  /// Image `index`, coordinates in pixels of what comes out. Indices beyond count() are fine.
  [[nodiscard]] PathfinderImage make(std::int64_t index) const;

 private:
  std::int64_t size_;
  std::int64_t count_;
  std::uint64_t seed_;
  std::string construction_;
  PathfinderGenerator generator_;
};

struct Generated {
  std::int64_t samples = 0;
  double seconds = 0.0;
};

/// Writes all images, labels and what is known of each image (margin, distractors, attempts, the
/// contours' ends, the markers) to a sample shard. The bytes do not depend on `threads`. Throws
/// ConfigError and EnvironmentError.
Generated write_pathfinder(const PathfinderConfig& config, const std::filesystem::path& path,
                           std::int64_t threads);

/// One split, made when it is asked for: nothing on disk.
class PathfinderStream final : public Dataset {
 public:
  PathfinderStream(const PathfinderConfig& config, const PixelConfig& pixels,
                   std::vector<std::int64_t> indices);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;

 private:
  PathfinderSource source_;
  PixelTransform transform_;
  std::vector<std::int64_t> indices_;
};

}  // namespace longconv::data
