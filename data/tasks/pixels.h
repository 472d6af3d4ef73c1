// Images as sequences: grey levels or colours to floats or tokens, in the order a model reads them
// (data.md 1.10, 3.1, 3.2).
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

struct PixelConfig : config::Section {
  explicit PixelConfig(Section* parent = nullptr, std::string name = "pixels")
      : Section(parent, std::move(name), "How images become sequences") {}
  config::Key<std::string> input{this, "input", "floats", config::one_of({"floats", "tokens"}),
                                 "floats (L, channels), or grey levels as tokens (L)"};
  config::Key<std::string> scale{
      this, "scale", "centred", config::one_of({"unit", "centred", "standard"}),
      "of floats: unit [0, 1], centred [-1, 1], or standard: the data set's mean and deviation"};
  config::Key<std::int64_t> pool{this, "pool", 1,
                                 config::between(std::int64_t{1}, std::int64_t{64}),
                                 "means of pool x pool pixels first; must divide the sides"};
  config::Key<std::string> order{this, "order", "rows",
                                 config::one_of({"rows", "snake", "bit_reversal", "hilbert"}),
                                 "in which the pixels are read"};
};

/// One image's way from levels to a sequence.
class PixelTransform {
 public:
  struct Shape {
    int height = 0;
    int width = 0;
    int channels = 0;
    std::vector<double> mean;  ///< of each channel / 255; empty = not known
    std::vector<double> deviation;
  };
  /// Throws ConfigError for what these images cannot do (Hilbert order of a side that is no power
  /// of two, tokens of colours, standard without known mean).
  PixelTransform(const PixelConfig& config, Shape shape);
  [[nodiscard]] bool tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(order_.size()); }
  [[nodiscard]] std::int64_t channels() const { return shape_.channels; }
  /// `levels` is height x width x channels of 0 to 255; `out` has length() x channels() floats.
  void to_floats(std::span<const std::int64_t> levels, std::span<float> out) const;
  /// `out` has length() tokens of 0 to 255.
  void to_tokens(std::span<const std::int64_t> levels, std::span<std::int64_t> out) const;

 private:
  /// The mean of the pixels behind place `place` of the sequence, in [0, 1].
  [[nodiscard]] float mean_level(std::span<const std::int64_t> levels, std::size_t place,
                                 int channel) const;
  Shape shape_;
  bool tokens_;
  int pool_;
  std::vector<std::int64_t> order_;  // place in the sequence -> pooled pixel, row-major
  std::vector<float> offset_;        // float = (level / 255 - offset) / scale
  std::vector<float> scale_;
};

}  // namespace longconv::data
