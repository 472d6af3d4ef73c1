// Readers of foreign image sets: IDX, CIFAR-10 batches, Pathfinder metadata.
#include "core/base/error.h"
#include "data/formats/cifar_file.h"
#include "data/formats/idx_file.h"
#include "data/formats/pathfinder_files.h"
#include "data/formats/text_fields.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string idx_says(const std::string& bytes) {
  return message_of<DataError>([&] { parse_idx(bytes_of(bytes), "x"); });
}

TEST(Idx, GivesShapeAndData) {
  const std::string file = "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"s + "abcdef";
  const IdxArray array = parse_idx(bytes_of(file), "x");
  EXPECT_THAT(array.shape, ElementsAre(2, 3));
  EXPECT_EQ(array.data.size(), 6U);
  EXPECT_EQ(std::to_integer<char>(array.data[5]), 'f');
}

TEST(Idx, EveryLieIsAnErrorWithItsPlace) {
  EXPECT_THAT(idx_says(""), HasSubstr("x: truncated: 0 bytes"));
  EXPECT_THAT(idx_says("\x1f\x8b\x08\x01"s), HasSubstr("not an IDX file: it begins with 1f 8b"));
  EXPECT_THAT(idx_says("\0\0\x0d\x01\0\0\0\0"s), HasSubstr("type 0d at byte 2"));
  EXPECT_THAT(idx_says("\0\0\x08\0"s), HasSubstr("0 dimensions at byte 3"));
  EXPECT_THAT(idx_says("\0\0\x08\x03\0\0\0\x01"s), HasSubstr("truncated: 3 dimensions"));
  EXPECT_THAT(idx_says("\0\0\x08\x01\0\0\0\x05"s + "abcd"),
              HasSubstr("more than 4 bytes, 4 follow"));
  EXPECT_THAT(idx_says("\0\0\x08\x01\0\0\0\x03"s + "abcd"),
              HasSubstr("says 3 bytes, 4 follow byte 8"));
  EXPECT_THAT(idx_says("\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff"s), HasSubstr("more than 0"));
}

TEST(Idx, FilesMayBeGzipped) {
  const test::ScratchFolder folder;
  std::string plain(3'000'000, '\0');
  std::uint32_t state = 1;
  for (char& byte : plain)
    byte = static_cast<char>('a' + ((state = state * 1103515245U + 12345U) >> 30));
  const std::string path = folder / "a.gz";
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, plain.data(), static_cast<unsigned>(plain.size()));
  gzclose(file);
  EXPECT_EQ(read_maybe_gzip(path).size(), plain.size());
  EXPECT_EQ(read_maybe_gzip(put(folder / "b", plain)).size(), plain.size());
  EXPECT_THAT(message_of<DataError>([&] { read_maybe_gzip(path, 1'000'000); }),
              HasSubstr("more than 1000000 bytes"));
  const std::string whole = test::slurp(path);
  put(path, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(message_of<DataError>([&] { read_maybe_gzip(path); }), HasSubstr("truncated"));
  std::string damaged = whole;
  damaged[whole.size() / 2] ^= 0x55;
  put(path, damaged);
  EXPECT_THAT(message_of<DataError>([&] { read_maybe_gzip(path); }), HasSubstr("a.gz: damaged"));
  EXPECT_THAT(message_of<DataError>([&] { read_maybe_gzip(folder / "none"); }), HasSubstr("none"));
}

TEST(Cifar, PlanesBecomeChannels) {
  std::string record(3073, '\0');
  record[0] = 7;
  record[1] = 10;         // red of the first pixel
  record[1 + 1024] = 20;  // green
  record[1 + 2048] = 30;
  record[1 + 1023] = 99;  // red of the last
  const std::string two = record + record;
  const CifarBatch batch = parse_cifar(bytes_of(two), "x");
  EXPECT_EQ(batch.records, 2);
  EXPECT_EQ(batch.label(1), 7);
  const auto colours = batch.colours(1);
  EXPECT_THAT((std::vector<int>{colours[0], colours[1], colours[2], colours[3069]}),
              ElementsAre(10, 20, 30, 99));
}

TEST(Cifar, EveryLieIsAnErrorWithItsPlace) {
  const auto says = [](const std::string& bytes) {
    return message_of<DataError>([&] { parse_cifar(bytes_of(bytes), "x"); });
  };
  EXPECT_THAT(says(""), HasSubstr("x: 0 bytes"));
  EXPECT_THAT(says(std::string(3072, '\0')), HasSubstr("records of 3073"));
  EXPECT_THAT(says(std::string(3073, '\0') + std::string(3073, '\x0a')),
              HasSubstr("label 10 at byte 3073"));
}

const char kLine[] = "imgs/0 sample_0.png 0 1 1.0 6 2 2 0.5 1 1\n";

std::vector<PathfinderEntry> parse(const std::string& text) {
  return parse_pathfinder_metadata(bytes_of(text), "0.npy");
}
std::string says(const std::string& text) {
  return message_of<DataError>([&] { parse(text); });
}

TEST(PathfinderFiles, MetadataIsText) {
  const auto entries = parse(kLine + "\xC3\xA4 b.png 1 0 1.0\r\n"s);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].file, "imgs/0/sample_0.png");
  EXPECT_EQ(entries[0].label, 1);
  EXPECT_EQ(entries[1].label, 0);
  EXPECT_EQ(parse("\xEF\xBB\xBF"s + kLine).front().file, "imgs/0/sample_0.png");
}

TEST(PathfinderFiles, MetadataMayBeANumpyArrayOfStrings) {
  for (const char* name : {"strings.npy", "bytes.npy"}) {
    const auto entries = parse(test::slurp(std::filesystem::path(LONGCONV_SOURCE_DIR) /
                                           "tests/fuzz/corpus/fuzz_pathfinder_metadata" / name));
    ASSERT_EQ(entries.size(), 2U) << name;
    EXPECT_EQ(entries[1].file, "imgs/0/sample_1.png");
    EXPECT_EQ(entries[0].label, 1);
    EXPECT_EQ(entries[1].label, 0);
  }
  EXPECT_THAT(says("\x93NUMPY\x01\0"s), HasSubstr("truncated"));
  EXPECT_THAT(says("\x93NUMPY\x01\0\xff\xff{}"s), HasSubstr("the header at byte 10 has 65535"));
  EXPECT_THAT(says("\x93NUMPY\x01\0\x02\0{}"s), HasSubstr("two-dimensional array of strings"));
}

TEST(PathfinderFiles, EveryMistakeHasFileAndLine) {
  EXPECT_THAT(says(kLine + "imgs/0 a.png 0\n"s), HasSubstr("0.npy:2: 3 fields"));
  EXPECT_THAT(says("imgs/0 a.png 0 2 1\n"), HasSubstr("0.npy:1: label 2, expected 0 or 1"));
  EXPECT_THAT(says(kLine + "../up a.png 0 1 1\n"s), HasSubstr("0.npy:2: names a file outside"));
  EXPECT_THAT(says("imgs ../../a.png 0 1 1\n"), HasSubstr("outside the folder"));
  EXPECT_THAT(says("/etc passwd 0 1 1\n"), HasSubstr("outside the folder"));
  EXPECT_THAT(says(kLine + "a\xff b 0 1 1\n"s), HasSubstr("0.npy:2: not UTF-8 at byte 43"));
}

TEST(PathfinderFiles, BatchesAreInTheOrderOfTheirNumbers) {
  const test::ScratchFolder folder;
  put(folder / "metadata/10.npy", "imgs/10 a.png 0 1 1\n");
  put(folder / "metadata/9.npy", "imgs/9 a.png 0 0 1\n");
  const auto entries = list_pathfinder_files(folder.path());
  EXPECT_EQ(entries[0].file, "imgs/9/a.png");
  EXPECT_EQ(entries[1].file, "imgs/10/a.png");
  put(folder / "metadata/11.npy", "imgs/9 a.png 0 0 1\n");
  EXPECT_THAT(message_of<DataError>([&] { list_pathfinder_files(folder.path()); }),
              HasSubstr("11.npy: names imgs/9/a.png a second time"));
  put(folder / "metadata/x.npy", kLine);
  EXPECT_THAT(message_of<DataError>([&] { list_pathfinder_files(folder.path()); }),
              HasSubstr("x.npy: expected a number"));
  EXPECT_THAT(message_of<DataError>([&] { list_pathfinder_files(folder / "none"); }),
              HasSubstr("no metadata/<number>.npy"));
}

TEST(TextFields, SplitOnTheSeparatorAlone) {
  EXPECT_THAT(split_fields("a\t\tb", '\t'), ElementsAre("a", "", "b"));
  std::vector<std::string> lines;
  // U+2028 and form feed end no line.
  for_each_text_line("a\xE2\x80\xA8\x0C\r\n\nlast", "x",
                     [&](std::string_view line, const std::string& where) {
                       lines.push_back(where + "|" + std::string(line));
                     });
  EXPECT_THAT(lines, ElementsAre("x:1|a\xE2\x80\xA8\x0C", "x:2|", "x:3|last"));
}

}  // namespace
}  // namespace longconv::data
