#include "data/formats/png.h"

#include "core/base/error.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <functional>

namespace longconv::data {
namespace {

using test::bytes_of;
using test::message_of;
using test::slurp;
using ::testing::HasSubstr;

/// 5 x 7 levels that are all different.
Picture small(int channels) {
  Picture picture;
  picture.height = 5;
  picture.width = 7;
  picture.channels = channels;
  for (int i = 0; i < 35 * channels; ++i) {
    picture.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  }
  return picture;
}

std::string encoded(int channels) {
  const test::ScratchFolder folder;
  write_png(folder / "a.png", small(channels));
  return slurp(folder / "a.png");
}

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

/// The file with another chunk, rightly checked, at byte 33 (behind IHDR).
std::string with_chunk(std::string png, const std::string& name, const std::string& data) {
  const std::string body = name + data;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return png.insert(33, big_endian(static_cast<std::uint32_t>(data.size())) + body +
                            big_endian(static_cast<std::uint32_t>(crc)));
}

TEST(Png, GreyGoesBothWays) {
  const Picture picture = decode_png(bytes_of(encoded(1)), "a.png");
  EXPECT_EQ(picture.height, 5);
  EXPECT_EQ(picture.width, 7);
  EXPECT_EQ(picture.pixels, small(1).pixels);
}

TEST(Png, ColoursBecomeGreyByTheirLuma) {
  const Picture picture = decode_png(bytes_of(encoded(3)), "a.png");
  const auto& rgb = small(3).pixels;
  ASSERT_EQ(picture.pixels.size(), 35U);
  EXPECT_EQ(picture.channels, 1);
  for (std::size_t i = 0; i < 35; ++i) {
    const double luma = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
    EXPECT_NEAR(picture.pixels[i], luma, 0.51) << i;
  }
}

TEST(Png, GammaAndOtherExtrasChangeNothing) {
  const std::string odd = with_chunk(encoded(1), "gAMA", big_endian(100'000));
  EXPECT_EQ(decode_png(bytes_of(odd), "a.png").pixels, small(1).pixels);
  const std::string text = with_chunk(encoded(1), "tEXt", std::string("Comment") + '\0' + "hello");
  EXPECT_EQ(decode_png(bytes_of(text), "a.png").pixels, small(1).pixels);
}

TEST(Png, EveryDamageIsAnErrorWithItsPlace) {
  const auto says = [](std::string png, const std::function<void(std::string&)>& edit) {
    edit(png);
    const std::vector<char> exact(png.begin(), png.end());
    return message_of<DataError>([&] { decode_png(std::as_bytes(std::span(exact)), "a.png"); });
  };
  EXPECT_THAT(says(encoded(1), [](auto& p) { p.clear(); }), HasSubstr("a.png: empty"));
  EXPECT_THAT(says(encoded(1), [](auto& p) { p[1] = 'Q'; }), HasSubstr("not a PNG image"));
  EXPECT_THAT(says(encoded(1), [](auto& p) { p.resize(40); }),
              HasSubstr("truncated: the chunk at byte 33"));
  EXPECT_THAT(says(encoded(1), [](auto& p) { p.resize(33); }), HasSubstr("byte 33 is cut off"));
  EXPECT_THAT(says(encoded(1), [](auto& p) { p[20] ^= 1; }),
              HasSubstr("chunk at byte 8 has CRC-32"));
  EXPECT_THAT(says(encoded(1), [](auto& p) { p[33] = '\x7f'; }), HasSubstr("only"));
  EXPECT_THAT(says(with_chunk(encoded(1), "IHDR", std::string(13, 0)), [](auto&) {}),
              HasSubstr("at byte 33 it is otherwise"));
  // A square of 2^31 pixels a side, rightly checked, is refused before memory is asked for.
  std::string huge = encoded(1).substr(0, 8) + encoded(1).substr(33);
  std::string header =
      big_endian(0x7FFFFFFF) + big_endian(0x7FFFFFFF) + std::string("\x08\0\0\0\0", 5);
  const std::string body = "IHDR" + header;
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), 17);
  huge.insert(8, big_endian(13) + body + big_endian(static_cast<std::uint32_t>(crc)));
  EXPECT_THAT(says(huge, [](auto&) {}),
              HasSubstr("an image of 2147483647 x 2147483647 pixels at byte 16"));
  // Rightly checked, but what is compressed is no image.
  const std::string none = encoded(1).substr(0, 33);
  EXPECT_THAT(says(with_chunk(none, "IDAT", "rubbish"),
                   [](auto& p) {
                     const std::string end = "IEND";
                     p += big_endian(0) + end +
                          big_endian(static_cast<std::uint32_t>(
                              crc32(0, reinterpret_cast<const Bytef*>(end.data()), 4)));
                   }),
              HasSubstr("damaged image data"));
}

}  // namespace
}  // namespace longconv::data
