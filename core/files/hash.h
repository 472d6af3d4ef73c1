// Checksums: CRC-32C (Castagnoli) for blocks of data, SHA-256 for identity.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace longconv::files {

/// CRC-32C of `bytes`, continuing from `crc` (0 to start). crc32c("123456789") == 0xE3069283.
/// Uses the CPU's CRC-32C instruction where there is one (SSE4.2), else crc32c_portable.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);
/// The same by tables (slicing by 8): for other CPUs, and to test the fast one against.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc = 0);

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4), incremental. Uses the CPU's SHA instructions where it has them.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// The digest of everything so far; starts anew afterwards.
  [[nodiscard]] Digest finish();

 private:
  using State = std::array<std::uint32_t, 8>;
  /// Takes in whole blocks of 64 bytes.
  using Blocks = void (*)(State& state, const std::byte* data, std::size_t blocks);
  friend Digest sha256_portable(std::string_view text);
  static void portable_blocks(State& state, const std::byte* data, std::size_t blocks);
  static Blocks fastest_blocks();
  Blocks blocks_;
  State state_{};
  std::array<std::byte, 64> buffer_{};
  std::uint64_t length_ = 0;
};

Digest sha256(std::string_view text);
/// The same by plain arithmetic: for other CPUs, and to test the fast one against.
Digest sha256_portable(std::string_view text);
/// Of a whole file, read piece by piece. Throws DataError if it cannot be read.
Digest sha256_file(const std::filesystem::path& path);
/// Two lower-case digits a byte.
std::string hex(std::span<const std::uint8_t> bytes);

}  // namespace longconv::files
