#include "core/files/hash.h"

#include "core/base/error.h"
#include "core/files/system_words.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace longconv::files {
namespace {

static_assert(std::endian::native == std::endian::little, "loads below assume little-endian");

constexpr std::uint32_t kCastagnoli = 0x82F63B78;  // 0x1EDC6F41 bit-reversed (RFC 3720 12.1)

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[0] advances a CRC by one byte; tables[n] by that byte and n zero bytes behind it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCastagnoli : 0);
    tables[0][i] = crc;
  }
  for (std::size_t n = 1; n < 8; ++n) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[n - 1][i];
      tables[n][i] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint64_t load64(const std::byte* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::span<const std::byte> bytes,
                                                             std::uint32_t crc) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t state = ~crc;
  for (; left >= 8; at += 8, left -= 8) state = _mm_crc32_u64(state, load64(at));
  auto narrow = static_cast<std::uint32_t>(state);
  for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, std::to_integer<std::uint8_t>(*at));
  return ~narrow;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t state = ~crc;
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = load64(at) ^ state;
    state = 0;
    for (std::size_t i = 0; i < 8; ++i) state ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; left > 0; ++at, --left) {
    state = (state >> 8) ^ kTables[0][(state ^ std::to_integer<std::uint32_t>(*at)) & 0xFF];
  }
  return ~state;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
  if (fast) return crc32c_sse42(bytes, crc);
#endif
  return crc32c_portable(bytes, crc);
}

Digest sha256_file(const std::filesystem::path& path) {
  // Read, not mapped: pages of a mapping would count as memory of ours.
  constexpr std::size_t kPieceBytes = 128UL << 10;  // stays in a core's own cache
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw DataError(system_words(path, "cannot open", errno));
  std::vector<std::byte> piece(kPieceBytes);
  Sha256 hash;
  ssize_t got = 0;
  do {
    got = ::read(file, piece.data(), piece.size());
    if (got > 0) hash.update(std::span(piece.data(), static_cast<std::size_t>(got)));
  } while (got > 0 || (got < 0 && errno == EINTR));
  const int error = errno;
  ::close(file);
  if (got < 0) throw DataError(system_words(path, "cannot read", error));
  return hash.finish();
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace longconv::files
