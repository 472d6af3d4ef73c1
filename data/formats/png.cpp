#include "data/formats/png.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

#include <png.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <string_view>

namespace longconv::data {

namespace {

constexpr std::array<unsigned char, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kChunkExtra = 12;  // length, name, CRC
constexpr std::uint64_t kMaxPixels = std::uint64_t{1} << 26;

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

/// The file with its critical chunks alone, each checked, so that libpng sees nothing that would
/// make it convert levels, and every mistake has an offset.
std::vector<std::byte> critical_chunks(std::span<const std::byte> bytes, const std::string& path) {
  LONGCONV_CHECK(!bytes.empty(), DataError, "{}: empty, expected a PNG image", path);
  LONGCONV_CHECK(bytes.size() >= kSignature.size() &&
                     std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0,
                 DataError, "{}: not a PNG image (its first 8 bytes are not a PNG's)", path);
  std::vector<std::byte> out(bytes.begin(), bytes.begin() + kSignature.size());
  std::size_t at = kSignature.size();
  while (true) {
    LONGCONV_CHECK(bytes.size() - at >= kChunkExtra, DataError,
                   "{}: truncated: the chunk at byte {} is cut off, and there was no IEND", path,
                   at);
    const std::size_t length = big_endian(bytes, at);
    LONGCONV_CHECK(length <= bytes.size() - at - kChunkExtra, DataError,
                   "{}: truncated: the chunk at byte {} has {} bytes, only {} follow", path, at,
                   length, bytes.size() - at - kChunkExtra);
    const auto chunk = bytes.subspan(at, kChunkExtra + length);
    const std::string_view name(reinterpret_cast<const char*>(chunk.data()) + 4, 4);
    const auto* checked = reinterpret_cast<const Bytef*>(chunk.data()) + 4;
    const auto crc = static_cast<std::uint32_t>(crc32(0, checked, static_cast<uInt>(length + 4)));
    LONGCONV_CHECK(
        crc == big_endian(chunk, length + 8), DataError,
        "{}: the chunk at byte {} has CRC-32 {:08x}, it says {:08x}: the file is damaged", path, at,
        crc, big_endian(chunk, length + 8));
    const bool first = at == kSignature.size();
    LONGCONV_CHECK(first == (name == "IHDR") && (!first || length == 13), DataError,
                   "{}: an IHDR of 13 bytes must come first and once, at byte {} it is otherwise",
                   path, at);
    if (first) {
      const std::uint64_t width = big_endian(chunk, 8);
      const std::uint64_t height = big_endian(chunk, 12);
      LONGCONV_CHECK(width > 0 && height > 0 && width <= kMaxPixels && height <= kMaxPixels / width,
                     DataError, "{}: an image of {} x {} pixels at byte {}, expected 1 to {}", path,
                     height, width, at + 8, kMaxPixels);
    }
    if (name == "IHDR" || name == "PLTE" || name == "IDAT" || name == "IEND") {
      out.insert(out.end(), chunk.begin(), chunk.end());
    }
    at += chunk.size();
    if (name == "IEND") return out;
  }
}

/// libpng's picture, freed whatever happens.
struct Png {
  Png() { image.version = PNG_IMAGE_VERSION; }
  ~Png() { png_image_free(&image); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  png_image image{};
};

}  // namespace

Picture decode_png(std::span<const std::byte> bytes, const std::string& path) {
  const std::vector<std::byte> clean = critical_chunks(bytes, path);
  Png png;
  const auto check = [&](int fine) {
    LONGCONV_CHECK(fine != 0 && png.image.warning_or_error < 2, DataError,
                   "{}: damaged image data behind byte {}: {}", path, kSignature.size(),
                   png.image.message);
  };
  check(png_image_begin_read_from_memory(&png.image, clean.data(), clean.size()));
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture;
  picture.height = static_cast<int>(png.image.height);
  picture.width = static_cast<int>(png.image.width);
  std::vector<std::uint8_t> read(PNG_IMAGE_SIZE(png.image));
  check(png_image_finish_read(&png.image, nullptr, read.data(), 0, nullptr));
  if (!colour) {
    picture.pixels = std::move(read);
    return picture;
  }
  for (std::size_t i = 0; i + 2 < read.size(); i += 3) {
    picture.pixels.push_back(grey_of(read[i], read[i + 1], read[i + 2]));
  }
  return picture;
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  Png png;
  png.image.width = static_cast<png_uint_32>(picture.width);
  png.image.height = static_cast<png_uint_32>(picture.height);
  png.image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  const auto check = [&](int fine) {
    LONGCONV_CHECK(fine != 0, EnvironmentError, "{}: cannot be written: {}", path.string(),
                   png.image.message);
  };
  check(png_image_write_get_memory_size(png.image, size, 0, picture.pixels.data(), 0, nullptr));
  std::vector<std::byte> bytes(size);
  check(png_image_write_to_memory(&png.image, bytes.data(), &size, 0, picture.pixels.data(), 0,
                                  nullptr));
  files::write_atomic(path, std::span<const std::byte>(bytes).first(size));
}

}  // namespace longconv::data
