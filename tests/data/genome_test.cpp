// FASTA in its three wrappings: windows, indices, and what is wrong with them.
#include "data/formats/genome.h"

#include "data/formats/bases.h"
#include "data/formats/bed.h"
#include "data/formats/bgzip.h"
#include "data/formats/fasta_index.h"
#include "data/formats/fasta_records.h"
#include "tests/data/bgzip_writer.h"
#include "tests/data/helpers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::bgzip;
using test::bytes_of;
using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two sequences, lines of 10: one ends in the middle of a line, one at its end.
const char kSmall[] =
    ">one first of all\nACGTACGTAC\nGGGGNNNNcc\nTTT\n>two\nAAAAACCCCC\nCCCCCAAAAA\n";
const char kOne[] = "ACGTACGTACGGGGNNNNccTTT";
const char kTwo[] = "AAAAACCCCCCCCCCAAAAA";

std::string window(const Genome& genome, std::int64_t sequence, std::int64_t begin,
                   std::int64_t count) {
  std::string out(static_cast<std::size_t>(count), '?');
  genome.read(sequence, begin, out);
  return out;
}

void expect_small(const Genome& genome) {
  ASSERT_EQ(genome.sequences().size(), 2U);
  EXPECT_EQ(genome.find("two"), 1);
  EXPECT_EQ(genome.find("first"), -1);
  EXPECT_EQ(genome.find_chromosome("chrtwo"), 1);
  const std::string all[] = {kOne, kTwo};
  for (std::int64_t s = 0; s < 2; ++s) {
    const std::string& want = all[s];
    const auto length = static_cast<std::int64_t>(want.size());
    EXPECT_EQ(genome.sequences()[static_cast<std::size_t>(s)].length, length);
    for (std::int64_t begin = 0; begin <= length; ++begin) {
      for (std::int64_t count = 0; begin + count <= length; ++count) {
        ASSERT_EQ(window(genome, s, begin, count),
                  want.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
      }
    }
  }
}

std::string with_crlf(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\r');
  }
  return text;
}

class FastaFiles : public ::testing::Test {
 protected:
  std::unique_ptr<Genome> open(const std::string& text, const std::string& name = "a.fa") {
    return open_genome(put(folder_ / name, text));
  }
  std::string says(const std::string& text, const std::string& name = "a.fa") {
    std::filesystem::remove(folder_ / (name + ".fai"));
    std::filesystem::remove(folder_ / (name + ".gzi"));
    return message_of<DataError>([&] { open(text, name); });
  }
  test::ScratchFolder folder_;
};

TEST_F(FastaFiles, EveryWindowIsThatOfTheText) {
  expect_small(*open(kSmall));
  EXPECT_EQ(test::slurp(folder_ / "a.fa.fai"), "one\t23\t18\t10\t11\ntwo\t20\t49\t10\t11\n");
  expect_small(*open(kSmall));  // by the index that the first time left
}

TEST_F(FastaFiles, LineEndsOfWindowsAndAByteOrderMarkAreRead) {
  expect_small(*open(with_crlf(kSmall)));
  EXPECT_EQ(test::slurp(folder_ / "a.fa.fai"), "one\t23\t19\t10\t12\ntwo\t20\t54\t10\t12\n");
  expect_small(*open("\xEF\xBB\xBF"s + kSmall + "\n\n", "b.fa"));
  expect_small(*open("\xEF\xBB\xBF"s + kSmall + "\n\n", "b.fa"));
  const std::string text = kSmall;
  expect_small(*open(text.substr(0, text.size() - 1), "c.fa"));  // no newline at the end
  expect_small(*open(text.substr(0, text.size() - 1), "c.fa"));
}

TEST_F(FastaFiles, EveryWindowOfBgzipIsThatOfTheText) {
  for (const std::size_t of_member : {1, 7, 64, 65280}) {
    const std::string name = std::to_string(of_member) + ".fa.gz";
    expect_small(*open(bgzip(kSmall, of_member), name));
    EXPECT_TRUE(std::filesystem::exists(folder_ / (name + ".gzi")));
    expect_small(*open(bgzip(kSmall, of_member), name));
  }
  // One member: a count of 0.
  EXPECT_EQ(test::slurp(folder_ / "65280.fa.gz.gzi"), std::string(8, '\0'));
}

TEST_F(FastaFiles, MembersOfOtherBgzipFilesAreNotMistaken) {
  auto one = open(bgzip(">x\nAAAACCCC\n", 64), "a.fa.gz");
  const auto two = open(bgzip(">x\nGGGGTTTT\n", 64), "b.fa.gz");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(window(*one, 0, 2, 4), "AACC");
    EXPECT_EQ(window(*two, 0, 2, 4), "GGTT");
  }
  one.reset();
  EXPECT_EQ(window(*open(bgzip(">x\nTTTTTTTT\n", 64), "c.fa.gz"), 0, 2, 4), "TTTT");
}

TEST_F(FastaFiles, PlainGzipIsHeldInMemory) {
  const std::string path = folder_ / "a.fa.gz";
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, kSmall, sizeof kSmall - 1);
  gzclose(file);
  expect_small(*open_genome(path));
  expect_small(*open_genome(path));
}

TEST_F(FastaFiles, ThreadsMayReadAtOnce) {
  std::string text = ">x\n";
  for (int line = 0; line < 2000; ++line) {
    for (int i = 0; i < 60; ++i) text += "ACGT"[(line * 7 + i * i) % 4];
    text += '\n';
  }
  for (const auto& genome : {open(text), open(bgzip(text, 1000), "b.fa.gz")}) {
    const std::string whole = window(*genome, 0, 0, 120'000);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const std::int64_t begin = (t * 31'337 + i * 7'919) % 110'000;
          if (window(*genome, 0, begin, 10'000) !=
              whole.substr(static_cast<std::size_t>(begin), 10'000)) {
            ++wrong;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST_F(FastaFiles, EveryMistakeHasFileAndLine) {
  EXPECT_THAT(says(""), HasSubstr("a.fa: empty"));
  EXPECT_THAT(says("ACGT\n"), HasSubstr("a.fa:1: expected a header"));
  EXPECT_THAT(says("\n\n"), HasSubstr("a.fa: no sequence in it"));
  EXPECT_THAT(says(">a\nAC\n>a b\nAC\n"), HasSubstr("a.fa:3: sequence a a second time"));
  EXPECT_THAT(says("> \nAC\n"), HasSubstr("a.fa:1: a header without a name"));
  EXPECT_THAT(says(">\xEF\xBB\xBFx\nAC\n"), HasSubstr("a.fa:1: a name that is not UTF-8"));
  EXPECT_THAT(says(">x\xff\nAC\n"), HasSubstr("a.fa:1: a name that is not UTF-8"));
  EXPECT_THAT(says(">x\x01\nAC\n"), HasSubstr("a.fa:1: a name that is not UTF-8"));
  EXPECT_THAT(says(">a\n>b\nAC\n"), HasSubstr("a.fa:2: sequence a, which ends here, has no bases"));
  EXPECT_THAT(says(">b\nAC\n>a"), HasSubstr("sequence a, which ends here, has no bases"));
  EXPECT_THAT(says(">a\nACG\nACGT\n"), HasSubstr("a.fa:3: 4 bases, the lines before have 3"));
  EXPECT_THAT(says(">a\nACG\nAC\nA\n"), HasSubstr("a.fa:4: 1 bases behind a shorter or blank"));
  EXPECT_THAT(says(">a\nACG\n\nACG\n"), HasSubstr("a.fa:4: 3 bases behind a shorter or blank"));
  EXPECT_THAT(says(">a\nACG\r\nACG\n"), HasSubstr("a.fa:3: ends otherwise than the lines before"));
  EXPECT_THAT(says(">a\nACG\nA G\n"), HasSubstr("a.fa:3: a byte that is no letter"));
  EXPECT_THAT(says(">a\nA\rG\n"), HasSubstr("a.fa:2: a byte that is no letter"));
  EXPECT_THAT(says(">a\nACG\nA\xc3\xa4G\n"), HasSubstr("a.fa:3: a byte that is no letter"));
  EXPECT_THAT(message_of<DataError>([&] { open_genome(folder_ / "none"); }), HasSubstr("none"));
  const auto genome = open(kSmall, "ok.fa");
  EXPECT_THAT(message_of<DataError>([&] { window(*genome, 0, 20, 4); }),
              HasSubstr("bases [20, 24) of one asked for, it has 23"));
  EXPECT_THAT(message_of<DataError>([&] { window(*genome, 2, 0, 1); }), HasSubstr("there are 2"));
}

TEST_F(FastaFiles, AnIndexOfAnotherFileIsAnError) {
  const auto index_says = [&](const std::string& fai, const std::string& text = kSmall) {
    put(folder_ / "a.fa.fai", fai);
    return message_of<DataError>([&] { open(text); });
  };
  EXPECT_THAT(index_says(""), HasSubstr("a.fa.fai: empty"));
  EXPECT_THAT(index_says("one\t23\t18\t10\n"), HasSubstr("a.fa.fai:1: 4 fields"));
  EXPECT_THAT(index_says("one\t23\tx\t10\t11\n"), HasSubstr("a.fa.fai:1: expected a whole number"));
  EXPECT_THAT(index_says("one\t0\t18\t10\t11\n"), HasSubstr("cannot be"));
  EXPECT_THAT(index_says("one\t23\t18\t10\t15\n"), HasSubstr("cannot be"));
  EXPECT_THAT(index_says("one\t23\t18\t10\t11\none\t20\t49\t10\t11\n"),
              HasSubstr("a.fa.fai:2: sequence \"one\" is there twice"));
  EXPECT_THAT(index_says("one\t230\t18\t10\t11\n"), HasSubstr("does not fit into 71 bytes"));
  EXPECT_THAT(index_says("one\t23\t9223372036854775807\t10\t11\n"), HasSubstr("does not fit"));
  EXPECT_THAT(index_says("uno\t23\t18\t10\t11\n"),
              HasSubstr("uno at byte 18: the line before it is \">one first of all\""));
  EXPECT_THAT(index_says("one\t23\t19\t10\t11\n"), HasSubstr("no line ends before"));
  EXPECT_THAT(index_says("one\t23\t18\t9\t10\n"), HasSubstr("first line does not end at byte 27"));
  EXPECT_THAT(index_says("one\t22\t18\t10\t11\n"), HasSubstr("other bases follow its last"));
  EXPECT_THAT(index_says("one\t20\t18\t10\t11\n"), HasSubstr("other bases follow its last"));
  // The borders fit, the middle does not: found when it is read.
  std::string moved = kSmall;
  std::swap(moved[39], moved[38]);
  put(folder_ / "a.fa.fai", "one\t23\t18\t10\t11\ntwo\t20\t49\t10\t11\n");
  EXPECT_THAT(message_of<DataError>([&] { window(*open(moved), 0, 0, 23); }),
              HasSubstr("a line ends where the index has a base"));
}

TEST_F(FastaFiles, DamagedBgzipIsAnErrorWithItsOffset) {
  const std::string whole = bgzip(kSmall, 30);
  EXPECT_THAT(says(whole.substr(0, whole.size() - 1), "a.gz"), HasSubstr("a.gz: truncated"));
  EXPECT_THAT(says(whole.substr(0, whole.size() - 28), "a.gz"), HasSubstr("a.gz: truncated"));
  const std::size_t first = test::bgzip_member(std::string_view(kSmall).substr(0, 30)).size();
  std::string damaged = whole;
  damaged[first] ^= 1;
  EXPECT_THAT(says(damaged, "a.gz"), HasSubstr("no bgzip member at byte " + std::to_string(first)));
  damaged = whole;
  damaged[first - 8] ^= 1;
  EXPECT_THAT(says(damaged, "a.gz"), HasSubstr("wrong CRC-32 of the member at byte 0"));
  damaged = whole;
  damaged[first - 4] ^= 1;  // one byte of text more or less than there is
  EXPECT_THAT(says(damaged, "a.gz"), HasSubstr("damaged deflate data in the member at byte 0"));
  damaged = whole;
  damaged[first - 2] = 2;  // more than 64 KiB of text
  EXPECT_THAT(says(damaged, "a.gz"), HasSubstr("damaged"));
}

TEST_F(FastaFiles, AGziOfAnotherFileIsAnError) {
  const std::string whole = bgzip(kSmall, 30);
  open(whole, "a.gz");
  const std::string good = test::slurp(folder_ / "a.gz.gzi");
  ASSERT_EQ(good.size(), 8U + 2 * 16);
  const auto gzi_says = [&](const std::string& gzi) {
    put(folder_ / "a.gz.gzi", gzi);
    return message_of<DataError>([&] { open(whole, "a.gz"); });
  };
  EXPECT_THAT(gzi_says("1234"), HasSubstr("a.gz.gzi: truncated: 4 bytes"));
  EXPECT_THAT(gzi_says(std::string(8, '\0')), HasSubstr("does not end where the file does"));
  std::string bad = good;
  bad[0] = 3;
  EXPECT_THAT(gzi_says(bad), HasSubstr("says 3 members"));
  std::fill_n(bad.begin(), 8, '\xff');
  EXPECT_THAT(gzi_says(bad), HasSubstr("says 18446744"));
  bad = good;
  bad[16] ^= 1;  // text offset of the second member
  EXPECT_THAT(gzi_says(bad), HasSubstr("does not belong to it"));
  bad = good;
  bad[8] ^= 1;  // its place
  EXPECT_THAT(gzi_says(bad), HasSubstr("does not belong to it"));
  bad = good;
  std::swap_ranges(bad.begin() + 8, bad.begin() + 24, bad.begin() + 24);
  EXPECT_THAT(gzi_says(bad), HasSubstr("cannot follow"));
}

TEST(FastaRecords, LinesAreJoinedAndHeadersWhole) {
  std::vector<std::string> got;
  const auto keep = [&](const FastaRecord& record, const std::string& where) {
    got.push_back(where + "|" + std::string(record.header) + "|" + std::string(record.bases));
  };
  for_each_fasta_record("\xEF\xBB\xBF>a b|1\r\nAC\r\nG\r\n\r\n>c\nT", "x", keep);
  EXPECT_THAT(got, ElementsAre("x:1|a b|1|ACG", "x:5|c|T"));
  const auto says = [&](const std::string& text) {
    return message_of<DataError>([&] { for_each_fasta_record(text, "x", keep); });
  };
  EXPECT_THAT(says(""), HasSubstr("x: no sequence"));
  EXPECT_THAT(says("AC\n"), HasSubstr("x:1: expected a header"));
  EXPECT_THAT(says(">a\n>b\nA"), HasSubstr("x:1: \"a\" has no bases"));
  EXPECT_THAT(says(">a\nA C"), HasSubstr("x:2: a byte that is no letter"));
}

TEST(Bed, RowsAreReadAndOtherLinesSkipped) {
  std::vector<std::string> got;
  const auto keep = [&](const BedRow& row, const std::string& where) {
    got.push_back(fmt::format("{} {} {} {} {}", where, row.sequence, row.start, row.end,
                              row.more.empty() ? "" : row.more.back()));
  };
  for_each_bed_row("track name=x\n#c\n\nbrowser position\nchr1\t0\t5\r\ntracky\t2\t3\ta\ttrain\n",
                   "x", keep);
  EXPECT_THAT(got, ElementsAre("x:5 chr1 0 5 ", "x:6 tracky 2 3 train"));
  const auto says = [&](const std::string& text) {
    return message_of<DataError>([&] { for_each_bed_row(text, "x", keep); });
  };
  EXPECT_THAT(says("chr1\t1\n"), HasSubstr("x:1: 2 columns"));
  EXPECT_THAT(says("chr1 1 2\n"), HasSubstr("x:1: 1 columns"));
  EXPECT_THAT(says("\nchr1\t-1\t2\n"), HasSubstr("x:2: expected a whole number, got \"-1\""));
  EXPECT_THAT(says("chr1\t1\t1e3\n"), HasSubstr("got \"1e3\""));
  EXPECT_THAT(says("chr1\t1\t99999999999999999999\n"), HasSubstr("expected a whole number"));
  EXPECT_THAT(says("chr1\t2\t2\n"), HasSubstr("a start below the end"));
  EXPECT_THAT(says("\t1\t2\n"), HasSubstr("the name of a sequence"));
}

TEST(Bases, ReverseComplementLeavesOtherLetters) {
  std::string bases = "AACGTNacgtnRY.-";
  reverse_complement(bases);
  EXPECT_EQ(bases, "-.YRnacgtNACGTT");
  std::string back = bases;
  reverse_complement(back);
  EXPECT_EQ(back, "AACGTNacgtnRY.-");
}

}  // namespace
}  // namespace longconv::data
