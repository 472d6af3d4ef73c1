// What a sample shard holds: numbers, statistics, and samples as text or as pictures.
#pragma once

#include "data/formats/png.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace longconv::data {

/// A JSON object; "kind" is "samples". Statistics are over at most 10,000 samples, evenly spaced.
/// Throws DataError.
std::string inspect_samples(const std::filesystem::path& path, std::int64_t samples, bool verify);

/// The first `count` images of a shard beside one another, five a row, a grey pixel between them.
/// Throws DataError if the shard holds no images.
Picture contact_sheet(const std::filesystem::path& path, std::int64_t count);

/// A grey picture as lines of block characters, at most `columns` wide: a character is one pixel
/// wide and two high, or more, and shows the lightest pixel of its area, so that thin lines stay.
std::string picture_blocks(const Picture& picture, int columns);

}  // namespace longconv::data
