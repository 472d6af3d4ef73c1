#include "core/files/hash.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace longconv::files {
namespace {

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

using Crc = std::uint32_t (*)(std::span<const std::byte>, std::uint32_t);

class Crc32c : public ::testing::TestWithParam<Crc> {
 protected:
  static std::uint32_t of(std::string_view text) {
    return GetParam()(std::as_bytes(std::span(text)), 0);
  }
};

TEST_P(Crc32c, KnownAnswers) {  // RFC 3720 B.4, and the check value of the catalogue of CRCs
  EXPECT_EQ(of("123456789"), 0xE3069283U);
  EXPECT_EQ(of(""), 0U);
  EXPECT_EQ(of(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(of(std::string(32, '\xff')), 0x62A8AB43U);
  std::string up(32, '\0');
  for (std::size_t i = 0; i < 32; ++i) up[i] = static_cast<char>(i);
  EXPECT_EQ(of(up), 0x46DD794EU);
  EXPECT_EQ(of(std::string(up.rbegin(), up.rend())), 0x113FDB5CU);
}

TEST_P(Crc32c, PartsContinueWhereTheLastStopped) {
  const std::vector<std::byte> bytes = pattern(1000);
  const std::span<const std::byte> all(bytes);
  const std::uint32_t whole = GetParam()(all, 0);
  for (const std::size_t cut : {0UL, 1UL, 7UL, 8UL, 9UL, 500UL, 999UL, 1000UL}) {
    EXPECT_EQ(GetParam()(all.subspan(cut), GetParam()(all.first(cut), 0)), whole) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Both, Crc32c, ::testing::Values(&crc32c, &crc32c_portable),
                         [](const auto& each) {
                           return each.param == &crc32c ? "Fast" : "Portable";
                         });

TEST(Crc32cTwins, AgreeAtEveryLengthAndAlignment) {
  const std::vector<std::byte> bytes = pattern(128);
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t size = 0; size + begin <= bytes.size(); ++size) {
      const std::span<const std::byte> part(bytes.data() + begin, size);
      ASSERT_EQ(crc32c(part, 7), crc32c_portable(part, 7)) << begin << " " << size;
    }
  }
}

TEST(Crc32cTwins, EveryFlippedBitIsSeen) {
  std::vector<std::byte> bytes = pattern(64);
  const std::uint32_t before = crc32c(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= std::byte(1U << (bit % 8));
    EXPECT_NE(crc32c(bytes), before) << bit;
    bytes[bit / 8] ^= std::byte(1U << (bit % 8));
  }
}

TEST(Sha256, KnownAnswers) {  // FIPS 180-4's examples
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsGiveWhatTheWholeGives) {
  // 55, 56, 63, 64: where the padding just fits, just does not, and where a block is full.
  for (const std::size_t size : {1UL, 55UL, 56UL, 63UL, 64UL, 65UL, 119UL, 120UL, 128UL, 300UL}) {
    const std::vector<std::byte> bytes = pattern(size);
    Sha256 whole;
    whole.update(bytes);
    const Digest want = whole.finish();
    for (const std::size_t step : {1UL, 3UL, 64UL, 65UL}) {
      Sha256 parts;
      for (std::size_t at = 0; at < size; at += step) {
        parts.update(std::span(bytes).subspan(at, std::min(step, size - at)));
      }
      EXPECT_EQ(hex(parts.finish()), hex(want)) << size << " by " << step;
    }
  }
}

TEST(Sha256, InstructionsAndArithmeticAgree) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(hex(sha256(text)), hex(sha256_portable(text))) << text.size();
    text += static_cast<char>(i * 37 + i / 7);
  }
}

TEST(Sha256, StartsAnewAfterFinish) {
  Sha256 hash;
  hash.update("something else");
  static_cast<void>(hash.finish());
  hash.update("abc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Sha256, OfAFile) {
  const testing::TempFolder folder;
  write_atomic(folder / "a", "abc");
  EXPECT_EQ(sha256_file(folder / "a"), sha256("abc"));
  write_atomic(folder / "a", "");
  EXPECT_EQ(sha256_file(folder / "a"), sha256(""));
  EXPECT_THROW(static_cast<void>(sha256_file(folder / "none")), DataError);
}

}  // namespace
}  // namespace longconv::files
