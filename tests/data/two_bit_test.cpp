// 2bit: both byte orders, both versions, runs, and what is wrong with a file.
#include "data/formats/two_bit.h"

#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace longconv::data {
namespace {

using test::bytes_of;
using test::message_of;
using test::put;
using ::testing::HasSubstr;

/// A 2bit file put together word by word.
class Writer {
 public:
  explicit Writer(bool big_endian, std::uint32_t version) : big_(big_endian), version_(version) {}
  std::string bytes;
  Writer& u32(std::uint64_t value) { return number(static_cast<std::uint32_t>(value)); }
  Writer& offset(std::uint64_t value) { return version_ == 0 ? u32(value) : number(value); }
  Writer& text(const std::string& value) {
    bytes += static_cast<char>(value.size());
    bytes += value;
    return *this;
  }

 private:
  template <class T>
  Writer& number(T value) {
    std::string word = test::le(value);
    if (big_) std::reverse(word.begin(), word.end());
    bytes += word;
    return *this;
  }
  bool big_;
  std::uint32_t version_;
};

std::string packed(const std::string& bases) {
  std::string out((bases.size() + 3) / 4, '\0');
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const auto code = std::string("TCAG").find(bases[i]);
    out[i / 4] =
        static_cast<char>(static_cast<unsigned char>(out[i / 4]) | code << (6 - 2 * (i % 4)));
  }
  return out;
}

// Under N at [3, 6) and [20, 23), lower case at [5, 9) and [21, 22).
const char kUnder[] = "ACGTACGTACGTTTGGCCAATCG";
const char kOther[] = "GATTACA";

std::string small(bool big, std::uint32_t version) {
  const std::size_t first = 16 + 2 * (2 + (version == 0 ? 4 : 8));
  Writer out(big, version);
  out.u32(0x1A412743).u32(version).u32(2).u32(0);
  out.text("a").offset(first).text("b").offset(first + 48 + 6);
  out.u32(23).u32(2).u32(3).u32(20).u32(3).u32(3).u32(2).u32(5).u32(21).u32(4).u32(1).u32(0);
  out.bytes += packed(kUnder);
  out.u32(7).u32(0).u32(0).u32(0);
  out.bytes += packed(kOther);
  return out.bytes;
}

TEST(TwoBit, EveryWindowInBothOrdersAndVersions) {
  std::string want = kUnder;
  for (const std::size_t at : {3, 4, 5, 20, 21, 22}) want[at] = 'N';
  for (const std::size_t at : {5, 6, 7, 8, 21}) want[at] = static_cast<char>(want[at] | 0x20);
  for (const bool big : {false, true}) {
    for (const std::uint32_t version : {0U, 1U}) {
      const std::string file = small(big, version);
      const TwoBitView view(bytes_of(file), "x");
      ASSERT_EQ(view.size(), 2U);
      EXPECT_EQ(view.name(1), "b");
      EXPECT_EQ(view.length(0), 23);
      for (std::size_t begin = 0; begin < want.size(); ++begin) {
        for (std::size_t count = 1; begin + count <= want.size(); ++count) {
          std::string got(count, '?');
          view.read(0, static_cast<std::int64_t>(begin), got);
          ASSERT_EQ(got, want.substr(begin, count)) << begin << " " << count;
        }
      }
      std::string got(7, '?');
      view.read(1, 0, got);
      EXPECT_EQ(got, kOther);
    }
  }
}

std::string says(const std::string& bytes) {
  return message_of<DataError>([&] { TwoBitView(bytes_of(bytes), "x"); });
}

/// The small file with the word at `at` replaced.
std::string with(std::size_t at, std::uint32_t word) {
  std::string file = small(false, 0);
  return file.replace(at, 4, test::le(word));
}

TEST(TwoBit, EveryLieIsAnErrorWithItsPlace) {
  EXPECT_THAT(says(""), HasSubstr("x: not a 2bit file"));
  EXPECT_THAT(says(with(0, 0x1A412744)), HasSubstr("not a 2bit file"));
  EXPECT_THAT(says(with(4, 2)), HasSubstr("version 2 at byte 4"));
  EXPECT_THAT(says(with(8, 0)), HasSubstr("no sequence"));
  EXPECT_THAT(says(with(8, 0xffffffff)), HasSubstr("the names of 4294967295 sequences"));
  EXPECT_THAT(says(with(18, 15)), HasSubstr("record of a is said to be at byte 15 of"));
  EXPECT_THAT(says(with(18, 5000)), HasSubstr("record of a is said to be at byte 5000 of"));
  std::string nameless = small(false, 0);
  nameless[16] = 0;
  EXPECT_THAT(says(nameless), HasSubstr("without a name at byte 16"));
  constexpr std::size_t kRecord = 28;
  EXPECT_THAT(says(with(kRecord, 0)), HasSubstr("a has no bases (byte 28)"));
  EXPECT_THAT(says(with(kRecord, 0xffffffff)), HasSubstr("truncated: the bases of a"));
  EXPECT_THAT(says(with(kRecord + 4, 0xffffffff)), HasSubstr("truncated: runs of N"));
  EXPECT_THAT(says(with(kRecord + 8, 24)), HasSubstr("runs of N of a: number 1 is [24, 27)"));
  EXPECT_THAT(says(with(kRecord + 12, 5)), HasSubstr("number 2 is [5, 8) (byte 40), behind 6"));
  EXPECT_THAT(says(with(kRecord + 16, 0xffffffff)), HasSubstr("number 1 is [3, 4294967298)"));
  EXPECT_THAT(says(with(kRecord + 24, 1000)), HasSubstr("truncated: masked runs"));
  Writer shared(false, 0);  // ten names, one record of 64 bases
  shared.u32(0x1A412743).u32(0).u32(10).u32(0);
  for (char name = 'a'; name <= 'j'; ++name) shared.text(std::string(1, name)).offset(16 + 60);
  shared.u32(64).u32(0).u32(0).u32(0);
  shared.bytes += std::string(16, '\0');
  EXPECT_THAT(says(shared.bytes), HasSubstr("up to that of e have more bytes than the file"));
  const std::string whole = small(false, 0);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(says(whole.substr(0, size)), HasSubstr("x: ")) << size;
  }
}

TEST(TwoBit, AGenomeMayBeOne) {
  const test::ScratchFolder folder;
  const auto genome = open_genome(put(folder / "a.2bit", small(true, 1)));
  EXPECT_EQ(genome->find("b"), 1);
  std::string got(4, '?');
  genome->read(1, 2, got);
  EXPECT_EQ(got, "TTAC");
  std::string twice = small(false, 0);
  twice[23] = 'a';
  EXPECT_THAT(message_of<DataError>([&] { open_genome(put(folder / "b.2bit", twice)); }),
              HasSubstr("sequence a is there twice, as number 1 and 2"));
}

}  // namespace
}  // namespace longconv::data
