#include "data/formats/sample_shard.h"

#include "core/files/hash.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <array>

namespace longconv::data {
namespace {

using test::bytes_of;
using test::le;
using test::message_of;
using test::put;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kHeader = 4096;

/// Two pairs of token sequences, one of them empty.
std::filesystem::path write_pairs(const test::ScratchFolder& folder) {
  SampleLayout layout;
  layout.value_bytes = 2;
  layout.parts = 2;
  layout.vocabulary = 300;
  layout.classes = 2;
  layout.columns = 2;
  SampleShardWriter writer(folder / "pairs.lcs", layout);
  writer.add_part(std::vector<std::uint16_t>{1, 299, 3});
  writer.add_part(std::vector<std::uint16_t>{});
  writer.add_row(std::array<std::int32_t, 2>{1, -7});
  writer.add_part(std::vector<std::uint16_t>{5});
  writer.add_part(std::vector<std::uint16_t>{6, 7});
  writer.add_row(std::array<std::int32_t, 2>{0, 8});
  writer.finish("{}");
  return folder / "pairs.lcs";
}

TEST(SampleShard, IsWrittenByteForByteAsTheFormatSays) {
  const test::ScratchFolder folder;
  std::string want = "LCS1" + le<std::uint32_t>(1) + le<std::uint32_t>(2) + le<std::uint32_t>(2) +
                     le<std::uint64_t>(2) + le<std::uint64_t>(6) + le<std::uint32_t>(300) +
                     le<std::uint32_t>(2) + le<std::uint32_t>(0) + le<std::uint32_t>(0) +
                     le<std::uint32_t>(0) + le<std::uint32_t>(2) + le<std::uint64_t>(2);
  want.resize(kHeader);
  std::string body;
  for (const int value : {1, 299, 3, 5, 6, 7}) body += le(static_cast<std::uint16_t>(value));
  for (const int end : {3, 3, 4, 6}) body += le(static_cast<std::uint64_t>(end));
  for (const int number : {1, -7, 0, 8}) body += le(static_cast<std::int32_t>(number));
  body += "{}";
  EXPECT_EQ(slurp(write_pairs(folder)), want + body + le(files::crc32c(bytes_of(body))));
}

TEST(SampleShard, GivesBackWhatWasWritten) {
  const test::ScratchFolder folder;
  const SampleShard shard(write_pairs(folder));
  EXPECT_EQ(shard.view().layout().samples, 2);
  EXPECT_EQ(shard.view().label(0), 1);
  EXPECT_EQ(shard.view().column(0, 1), -7);
  EXPECT_EQ(shard.view().length(0, 1), 0);
  std::vector<std::int64_t> values(5, -1);
  EXPECT_EQ(shard.view().read(1, 1, values), 2U);
  EXPECT_THAT(values, ElementsAre(6, 7, -1, -1, -1));
  EXPECT_EQ(shard.view().read(0, 0, std::span(values).first(2)), 2U);
  EXPECT_THAT(values, ElementsAre(1, 299, -1, -1, -1));
}

TEST(SampleShard, HasAChecksumForEachFourMebibytes) {
  const test::ScratchFolder folder;
  SampleLayout layout;
  layout.vocabulary = 256;
  layout.classes = 1;
  SampleShardWriter writer(folder / "big.lcs", layout);
  const std::vector<std::uint8_t> part((std::size_t{3} << 20) + 1, 7);
  for (int i = 0; i < 3; ++i) {
    writer.add_part(part);
    writer.add_row(std::array<std::int32_t, 1>{0});
  }
  writer.finish("{}");
  const SampleShard fine(folder / "big.lcs");  // 9 MiB: three blocks, all verified
  std::string bytes = slurp(folder / "big.lcs");
  bytes[kHeader + (std::size_t{5} << 20)] = 8;
  put(folder / "big.lcs", bytes);
  EXPECT_THAT(message_of<DataError>([&] { SampleShard(folder / "big.lcs"); }),
              HasSubstr("bytes 4198400 to 8392704 have CRC-32C"));
  EXPECT_NO_THROW(SampleShard(folder / "big.lcs", /*verify=*/false));
}

TEST(SampleShard, EveryLieOfTheFileIsAnErrorWithItsPlace) {
  const test::ScratchFolder folder;
  const std::string whole = slurp(write_pairs(folder));
  const auto says = [&](const std::function<void(std::string&)>& edit) {
    std::string bytes = whole;
    edit(bytes);
    const std::vector<char> exact(bytes.begin(), bytes.end());
    return message_of<DataError>(
        [&] { SampleView(std::as_bytes(std::span(exact)), "a.lcs").verify(); });
  };
  const auto over = [](std::size_t at, const std::string& with) {
    return [=](std::string& bytes) { bytes.replace(at, with.size(), with); };
  };
  EXPECT_THAT(says([](auto& b) { b.clear(); }), HasSubstr("a.lcs: not a sample shard"));
  EXPECT_THAT(says(over(0, "LCT1")), HasSubstr("not a sample shard"));
  EXPECT_THAT(says([](auto& b) { b.resize(100); }), HasSubstr("truncated: 100 bytes"));
  EXPECT_THAT(says([](auto& b) { b.pop_back(); }), HasSubstr("expected 1 checksums"));
  EXPECT_THAT(says(over(4, le<std::uint32_t>(9))), HasSubstr("version 9 at byte 4"));
  EXPECT_THAT(says(over(8, le<std::uint32_t>(3))), HasSubstr("bytes a value at byte 8"));
  EXPECT_THAT(says(over(16, le(~std::uint64_t{0}))), HasSubstr("ends of samples"));
  EXPECT_THAT(says(over(24, le(~std::uint64_t{0} / 2))), HasSubstr("values of 2 bytes"));
  EXPECT_THAT(says(over(56, le(std::uint64_t{1} << 63))), HasSubstr("JSON characters"));
  EXPECT_THAT(says(over(40, le<std::uint32_t>(4))), HasSubstr("images of 4 x 0 x 0"));
  const std::size_t ends = kHeader + 12;
  EXPECT_THAT(says(over(ends + 8, le<std::uint64_t>(2))),
              HasSubstr("part 1 ends at value 2 (byte"));
  EXPECT_THAT(says(over(ends, le(std::uint64_t{1} << 63))), HasSubstr("part 0 ends at value -"));
  EXPECT_THAT(says(over(ends + 24, le<std::uint64_t>(5))), HasSubstr("samples end at value 5"));
  EXPECT_THAT(says(over(ends + 32, le<std::int32_t>(2))), HasSubstr("sample 0 has label 2"));
  EXPECT_THAT(says(over(kHeader + 2, le<std::uint16_t>(300))), HasSubstr("CRC-32C"));
}

TEST(SampleShard, RefusesWhatItsLayoutExcludes) {
  const test::ScratchFolder folder;
  SampleLayout layout;
  layout.vocabulary = 10;
  layout.classes = 2;
  SampleShardWriter writer(folder / "a.lcs", layout);
  EXPECT_THAT(message_of<DataError>([&] { writer.add_part(std::vector<std::uint8_t>{10}); }),
              HasSubstr("sample 0 has the value 10, the vocabulary has 10"));
  writer.add_part(std::vector<std::uint8_t>{9});
  EXPECT_THAT(message_of<DataError>([&] { writer.add_row(std::array<std::int32_t, 1>{2}); }),
              HasSubstr("label 2, there are 2 classes"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.lcs"));
}

}  // namespace
}  // namespace longconv::data
