// PNG images, through libpng.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

struct Picture {
  int height = 0;
  int width = 0;
  int channels = 1;                  ///< 1 grey, 3 red, green, blue
  std::vector<std::uint8_t> pixels;  ///< row-major, channels last
};

/// Grey as it is; colours become grey by the luma of grey_of(). Gamma, profiles and other extras of
/// the file are left out, transparency too: the levels are those that were stored. Throws DataError
/// with `path` and the offset of the chunk: no PNG, truncated, a chunk with a wrong CRC, an image
/// of more than 2^26 pixels, damaged data.
Picture decode_png(std::span<const std::byte> bytes, const std::string& path);

/// Writes a grey or colour PNG atomically. Throws EnvironmentError.
void write_png(const std::filesystem::path& path, const Picture& picture);

/// ITU-R 601-2 luma in 16-bit fixed point, as common image libraries round it (data.md 3.1).
constexpr std::uint8_t grey_of(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  return static_cast<std::uint8_t>((19595U * red + 38470U * green + 7471U * blue + 32768U) >> 16U);
}

}  // namespace longconv::data
