// A bgzip file with members as small as a test wants them.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace longconv::test {

inline std::string bgzip_member(std::string_view text) {
  std::string data(text.size() + 64, '\0');
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(data.data());
  stream.avail_out = static_cast<uInt>(data.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  data.resize(stream.total_out);
  deflateEnd(&stream);
  const auto u16 = [](std::size_t value) {
    const auto word = static_cast<std::uint16_t>(value);
    return std::string(reinterpret_cast<const char*>(&word), 2);
  };
  const auto u32 = [](std::size_t value) {
    const auto word = static_cast<std::uint32_t>(value);
    return std::string(reinterpret_cast<const char*>(&word), 4);
  };
  const uLong crc =
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  std::string out("\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0", 16);
  return out + u16(data.size() + 25) + data + u32(crc) + u32(text.size());
}

inline std::string bgzip(std::string_view text, std::size_t of_member) {
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(of_member, text.size()))) {
    out += bgzip_member(text.substr(0, of_member));
  }
  return out + bgzip_member({});
}

}  // namespace longconv::test
