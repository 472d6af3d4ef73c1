#include "data/formats/token_shard.h"

#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

namespace longconv::data {
namespace {

using test::le;
using test::message_of;
using test::put;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kHeader = 4096;

files::Digest digest(std::uint8_t first) {
  files::Digest out{};
  std::iota(out.begin(), out.end(), first);
  return out;
}

std::string text_of(const files::Digest& value) { return {value.begin(), value.end()}; }

/// Three documents, the second empty.
std::filesystem::path write_tiny(const test::ScratchFolder& folder, std::int64_t vocab_size,
                                 const std::string& name = "tiny.lct") {
  TokenShardWriter writer(folder / name, vocab_size, 2, digest(7));
  writer.add_document(std::vector<std::int32_t>{5, 6, 2});
  writer.add_document({});
  writer.add_document(std::vector<std::int32_t>{9, 2});
  writer.finish();
  return folder / name;
}

/// What the format says the tiny shard must be, byte by byte.
std::string golden(std::uint32_t dtype, std::uint64_t vocab_size, const std::string& tokens) {
  std::string want = "LCT1" + le<std::uint32_t>(1) + le(dtype) + le<std::uint64_t>(5) +
                     le(vocab_size) + le<std::int64_t>(2) + text_of(digest(7));
  want.resize(kHeader);
  return want + tokens + le(files::crc32c(test::bytes_of(tokens)));
}

TEST(TokenShard, IsWrittenByteForByteAsTheFormatSays) {
  const test::ScratchFolder folder;
  const std::string u16 = le<std::uint16_t>(5) + le<std::uint16_t>(6) + le<std::uint16_t>(2) +
                          le<std::uint16_t>(9) + le<std::uint16_t>(2);
  EXPECT_EQ(slurp(write_tiny(folder, 65535)), golden(2, 65535, u16));
  const std::string u32 = le<std::uint32_t>(5) + le<std::uint32_t>(6) + le<std::uint32_t>(2) +
                          le<std::uint32_t>(9) + le<std::uint32_t>(2);
  EXPECT_EQ(slurp(write_tiny(folder, 65536, "wide.lct")), golden(4, 65536, u32));
  EXPECT_EQ(slurp(folder / "tiny.idx"), "LCI1" + le<std::uint32_t>(1) + le<std::uint64_t>(3) +
                                            text_of(digest(7)) + le<std::uint64_t>(0) +
                                            le<std::uint64_t>(3) + le<std::uint64_t>(3));
}

TEST(TokenShard, GivesBackWhatWasWritten) {
  const test::ScratchFolder folder;
  const TokenShard shard(write_tiny(folder, 100));
  EXPECT_EQ(shard.size(), 5);
  EXPECT_EQ(shard.header().vocab_size, 100);
  EXPECT_EQ(shard.header().eos_id, 2);
  EXPECT_EQ(shard.header().tokenizer, digest(7));
  EXPECT_THAT(shard.document_starts(), ElementsAre(0, 3, 3));
  std::vector<std::int64_t> ids(3);
  shard.read(1, ids);
  EXPECT_THAT(ids, ElementsAre(6, 2, 9));
}

TEST(TokenShard, HasAChecksumForEachFourMebibytes) {
  const test::ScratchFolder folder;
  constexpr std::size_t kTokens = (std::size_t{9} << 20) / 2 + 1;  // 9 MiB and one token: 3 blocks
  std::vector<std::int32_t> ids(kTokens);
  for (std::size_t i = 0; i < kTokens; ++i) ids[i] = static_cast<std::int32_t>(i * 7919 % 50000);
  {
    TokenShardWriter writer(folder / "big.lct", 50257, -1, digest(1));
    writer.add_document(ids);
    writer.finish();
  }
  const std::string file = slurp(folder / "big.lct");
  ASSERT_EQ(file.size(), kHeader + 2 * kTokens + 3 * 4);
  constexpr std::size_t kBlock = std::size_t{4} << 20;
  const auto data = test::bytes_of(file).subspan(kHeader, 2 * kTokens);
  EXPECT_EQ(file.substr(kHeader + 2 * kTokens),
            le(files::crc32c(data.subspan(0, kBlock))) +
                le(files::crc32c(data.subspan(kBlock, kBlock))) +
                le(files::crc32c(data.subspan(2 * kBlock))));

  // One bit in the last block: found when verifying, with the block's place; not looked for else.
  std::string damaged = file;
  damaged[kHeader + 2 * kBlock + 10] ^= 1;
  put(folder / "big.lct", damaged);
  const std::string message =
      message_of<DataError>([&] { const TokenShard shard(folder / "big.lct"); });
  EXPECT_THAT(message, HasSubstr("big.lct: bytes 8392704 to"));
  EXPECT_THAT(message, HasSubstr("CRC-32C"));
  const TokenShard unchecked(folder / "big.lct", /*verify=*/false);
  EXPECT_EQ(unchecked.size(), static_cast<std::int64_t>(kTokens));
}

TEST(TokenShard, NamesAnIdThatTheTokenizerDoesNotHave) {
  const test::ScratchFolder folder;
  const auto path = write_tiny(folder, 100);
  std::string file = slurp(path);
  file.replace(20, 8, le<std::uint64_t>(9));  // the vocabulary: id 9 no longer belongs to it
  put(path, file);
  constexpr char kWant[] =
      "token 9 at byte 4102, but the tokenizer has 9 ids; wrong tokenizer for this shard?";
  EXPECT_THAT(message_of<DataError>([&] { const TokenShard shard(path); }),
              HasSubstr(path.string() + ": " + kWant));
  const TokenShard unchecked(path, /*verify=*/false);
  std::vector<std::int64_t> ids(5);
  EXPECT_THAT(message_of<DataError>([&] { unchecked.read(0, ids); }), HasSubstr(kWant));
  EXPECT_THAT(message_of<DataError>([&] { unchecked.read(4, ids); }), HasSubstr("[4, 9)"));

  TokenShardWriter writer(folder / "new.lct", 9, -1, digest(0));
  EXPECT_THAT(message_of<DataError>([&] {
                writer.add_document(std::vector<std::int32_t>{8, 9});
              }),
              HasSubstr("token 9 at position 1 of document 0"));
}

struct Damage {
  const char* name;
  std::size_t offset;
  std::string bytes;
  const char* want;
};

TEST(TokenShard, RefusesForeignAndDamagedHeaders) {
  const test::ScratchFolder folder;
  const std::string file = slurp(write_tiny(folder, 100));
  for (const Damage& damage : std::vector<Damage>{
           {"magic", 0, "LCT2", "not a token shard"},
           {"version", 4, le<std::uint32_t>(2), "version 2 at byte 4"},
           {"dtype", 8, le<std::uint32_t>(3), "token type 3 at byte 8"},
           {"count", 12, le<std::uint64_t>(6), "6 tokens of 2 bytes"},
           {"huge count", 12, le<std::uint64_t>(~0ULL), "18446744073709551615 tokens"},
           {"wrapping count", 12, le<std::uint64_t>((1ULL << 63) + 5), "tokens of 2 bytes"},
           {"no vocabulary", 20, le<std::uint64_t>(0), "vocabulary of 0 ids"},
           {"huge vocabulary", 20, le<std::uint64_t>(1ULL << 40), "vocabulary of 1099511627776"},
           {"eos", 28, le<std::int64_t>(100), "EOS id 100"},
           {"negative eos", 28, le<std::int64_t>(-2), "EOS id -2"}}) {
    std::string bad = file;
    bad.replace(damage.offset, damage.bytes.size(), damage.bytes);
    const std::string message =
        message_of<DataError>([&] { parse_shard_header(test::bytes_of(bad), "x/17.lct"); });
    EXPECT_THAT(message, HasSubstr("x/17.lct: ")) << damage.name;
    EXPECT_THAT(message, HasSubstr(damage.want)) << damage.name;
  }
  for (std::size_t size = 0; size < file.size(); size += size < 64 ? 1 : 509) {
    const std::string cut = file.substr(0, size);
    EXPECT_THROW(parse_shard_header(test::bytes_of(cut), "x"), DataError) << size;
  }
  EXPECT_NO_THROW(parse_shard_header(test::bytes_of(file), "x"));
  EXPECT_THAT(message_of<DataError>([&] { const TokenShard shard(folder / "missing.lct"); }),
              HasSubstr("missing.lct"));
}

TEST(TokenShard, RefusesAnIndexOfAnotherShard) {
  const test::ScratchFolder folder;
  const auto path = write_tiny(folder, 100);
  const TokenShard shard(path);
  const auto index = folder / "tiny.idx";
  const std::string file = slurp(index);
  const auto message = [&](const std::string& content) {
    put(index, content);
    return message_of<DataError>([&] { (void)shard.document_starts(); });
  };
  EXPECT_THAT(message(file.substr(0, file.size() - 8)), HasSubstr("3 documents of 8 bytes"));
  EXPECT_THAT(message("LCT1" + file.substr(4)), HasSubstr("not a document index"));
  std::string other = file;
  other[16] ^= 1;
  EXPECT_THAT(message(other), HasSubstr("the index belongs to another shard"));
  other = file;
  other.replace(48 + 16, 8, le<std::uint64_t>(6));  // behind the shard's end
  EXPECT_THAT(message(other), HasSubstr("document 2 starts at token 6 (byte 64), expected 3 to 5"));
  other.replace(48 + 16, 8, le<std::uint64_t>(2));  // before its predecessor
  EXPECT_THAT(message(other), HasSubstr("document 2 starts at token 2"));
  std::filesystem::remove(index);
  EXPECT_THAT(message_of<DataError>([&] { (void)shard.document_starts(); }), HasSubstr("tiny.idx"));
}

TEST(TokenShard, LeavesNothingUnlessFinished) {
  const test::ScratchFolder folder;
  {
    TokenShardWriter writer(folder / "half.lct", 100, 2, digest(7));
    writer.add_document(std::vector<std::int32_t>{1, 2, 3});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace longconv::data
