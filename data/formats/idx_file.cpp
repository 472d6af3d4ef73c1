#include "data/formats/idx_file.h"

#include "core/base/check.h"

#include <zlib.h>

#include <memory>

namespace longconv::data {

IdxArray parse_idx(std::span<const std::byte> bytes, const std::string& path) {
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(bytes[at]); };
  LONGCONV_CHECK(bytes.size() >= 4, DataError, "{}: truncated: {} bytes, an IDX file has 4 or more",
                 path, bytes.size());
  LONGCONV_CHECK(byte(0) == 0 && byte(1) == 0, DataError,
                 "{}: not an IDX file: it begins with {:02x} {:02x}, expected two zero bytes", path,
                 byte(0), byte(1));
  constexpr unsigned kU8 = 0x08;
  LONGCONV_CHECK(byte(2) == kU8, DataError,
                 "{}: elements of type {:02x} at byte 2, expected 08 (u8)", path, byte(2));
  const std::size_t dimensions = byte(3);
  LONGCONV_CHECK(dimensions >= 1 && dimensions <= 4, DataError,
                 "{}: {} dimensions at byte 3, expected 1 to 4", path, dimensions);
  LONGCONV_CHECK(bytes.size() >= 4 + 4 * dimensions, DataError,
                 "{}: truncated: {} dimensions, but {} bytes", path, dimensions, bytes.size());
  IdxArray array;
  array.data = bytes.subspan(4 + 4 * dimensions);
  std::size_t wanted = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    const std::size_t at = 4 + 4 * i;
    const std::size_t size = std::size_t{byte(at)} << 24 | std::size_t{byte(at + 1)} << 16 |
                             std::size_t{byte(at + 2)} << 8 | byte(at + 3);
    array.shape.push_back(static_cast<std::int64_t>(size));
    // One element too many stands for any number of them, so that nothing overflows.
    wanted = size != 0 && wanted > array.data.size() / size ? array.data.size() + 1 : wanted * size;
  }
  LONGCONV_CHECK(wanted == array.data.size(), DataError,
                 "{}: the header says {}{} bytes, {} follow byte {}: truncated or changed", path,
                 wanted > array.data.size() ? "more than " : "",
                 wanted > array.data.size() ? array.data.size() : wanted, array.data.size(),
                 4 + 4 * dimensions);
  return array;
}

std::vector<std::byte> read_maybe_gzip(const std::filesystem::path& path, std::size_t max_bytes) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), &gzclose);
  LONGCONV_CHECK(file != nullptr, DataError, "{}: cannot be opened", path.string());
  constexpr unsigned kChunk = 1U << 20;
  std::vector<std::byte> out;
  while (true) {
    const std::size_t before = out.size();
    LONGCONV_CHECK(before <= max_bytes, DataError, "{}: more than {} bytes of content",
                   path.string(), max_bytes);
    out.resize(before + kChunk);
    const int got = gzread(file.get(), out.data() + before, kChunk);
    int status = Z_OK;
    const char* words = gzerror(file.get(), &status);
    LONGCONV_CHECK(got >= 0 && status >= Z_OK, DataError,
                   "{}: damaged or truncated gzip data behind byte {}: {}", path.string(), before,
                   words);
    out.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return out;
  }
}

}  // namespace longconv::data
