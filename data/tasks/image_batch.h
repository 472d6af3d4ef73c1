// Images to a batch of sequences, wherever they come from.
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/pixels.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace longconv::data {

/// Fills the grey or colour levels of one sample and returns its label.
using FillImage =
    std::function<std::int64_t(std::int64_t sample, std::vector<std::int64_t>& levels)>;

/// Samples members[i] for i in `indices`: input (B, L, channels) float32 or (B, L) int64 tokens,
/// target (B) int64. Throws DataError for an index outside `members`.
Batch image_batch(const PixelTransform& transform, std::span<const std::int64_t> indices,
                  std::span<const std::int64_t> members, const FillImage& fill);

}  // namespace longconv::data
