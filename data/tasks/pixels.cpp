#include "data/tasks/pixels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace longconv::data {

namespace {

/// Place d of the Hilbert curve through a square of `side`, a power of two (Hamilton and
/// Rau-Chaplin's turning of quadrants): (y, x) as y * side + x.
std::int64_t hilbert(std::int64_t side, std::int64_t d) {
  std::int64_t x = 0;
  std::int64_t y = 0;
  for (std::int64_t s = 1; s < side; s *= 2) {
    const std::int64_t right = 1 & (d / 2);
    const std::int64_t down = 1 & (d ^ right);
    if (down == 0) {
      if (right == 1) {
        x = s - 1 - x;
        y = s - 1 - y;
      }
      std::swap(x, y);
    }
    x += s * right;
    y += s * down;
    d /= 4;
  }
  return y * side + x;
}

/// Bit-reversed counting up to the next power of two; what lies behind the end is left out.
std::vector<std::int64_t> bit_reversal(std::int64_t count) {
  const int bits = std::bit_width(static_cast<std::uint64_t>(count - 1));
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < (std::int64_t{1} << bits); ++i) {
    std::int64_t reversed = 0;
    for (int bit = 0; bit < bits; ++bit) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
    if (reversed < count) out.push_back(reversed);
  }
  return out;
}

std::vector<std::int64_t> reading_order(const PixelConfig& config, std::int64_t height,
                                        std::int64_t width) {
  const std::string order = config.order();
  if (order == "bit_reversal") return bit_reversal(height * width);
  std::vector<std::int64_t> out(static_cast<std::size_t>(height * width));
  std::iota(out.begin(), out.end(), std::int64_t{0});
  if (order == "snake") {
    for (std::int64_t y = 1; y < height; y += 2) {
      std::reverse(out.begin() + y * width, out.begin() + (y + 1) * width);
    }
  } else if (order == "hilbert") {
    if (height != width || !std::has_single_bit(static_cast<std::uint64_t>(width))) {
      config.order.fail("hilbert needs a square whose side is a power of two, these images are " +
                        std::to_string(height) + " x " + std::to_string(width));
    }
    for (std::int64_t i = 0; i < height * width; ++i) {
      out[static_cast<std::size_t>(i)] = hilbert(width, i);
    }
  }
  return out;
}

}  // namespace

PixelTransform::PixelTransform(const PixelConfig& config, Shape shape)
    : shape_(std::move(shape)),
      tokens_(config.input() == "tokens"),
      pool_(static_cast<int>(config.pool())) {
  if (shape_.height % pool_ != 0 || shape_.width % pool_ != 0) {
    config.pool.fail("expected a divisor of both sides, the images are " +
                     std::to_string(shape_.height) + " x " + std::to_string(shape_.width));
  }
  if (tokens_ && shape_.channels != 1) {
    config.input.fail("tokens are for grey images, these have " + std::to_string(shape_.channels) +
                      " channels");
  }
  order_ = reading_order(config, shape_.height / pool_, shape_.width / pool_);
  const auto channels = static_cast<std::size_t>(shape_.channels);
  const std::string scale = config.scale();
  offset_.assign(channels, scale == "centred" ? 0.5F : 0.0F);
  scale_.assign(channels, scale == "centred" ? 0.5F : 1.0F);
  if (scale != "standard" || tokens_) return;
  if (shape_.mean.size() != channels || shape_.deviation.size() != channels) {
    config.scale.fail("no mean and deviation are known for these images; take unit or centred");
  }
  std::copy(shape_.mean.begin(), shape_.mean.end(), offset_.begin());
  std::copy(shape_.deviation.begin(), shape_.deviation.end(), scale_.begin());
}

float PixelTransform::mean_level(std::span<const std::int64_t> levels, std::size_t place,
                                 int channel) const {
  const std::int64_t columns = shape_.width / pool_;
  const std::int64_t top = order_[place] / columns * pool_;
  const std::int64_t left = order_[place] % columns * pool_;
  std::int64_t sum = 0;
  for (std::int64_t y = top; y < top + pool_; ++y) {
    for (std::int64_t x = left; x < left + pool_; ++x) {
      sum += levels[static_cast<std::size_t>((y * shape_.width + x) * shape_.channels + channel)];
    }
  }
  return static_cast<float>(sum) / (255.0F * static_cast<float>(pool_ * pool_));
}

void PixelTransform::to_floats(std::span<const std::int64_t> levels, std::span<float> out) const {
  std::size_t at = 0;
  for (std::size_t place = 0; place < order_.size(); ++place) {
    for (int channel = 0; channel < shape_.channels; ++channel, ++at) {
      const auto c = static_cast<std::size_t>(channel);
      out[at] = (mean_level(levels, place, channel) - offset_[c]) / scale_[c];
    }
  }
}

void PixelTransform::to_tokens(std::span<const std::int64_t> levels,
                               std::span<std::int64_t> out) const {
  for (std::size_t place = 0; place < order_.size(); ++place) {
    out[place] = static_cast<std::int64_t>(std::floor(255.0F * mean_level(levels, place, 0)));
  }
}

}  // namespace longconv::data
