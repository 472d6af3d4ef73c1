// Real genomes from Debian's packages, against samtools and against the FASTA that 2bit files were
// made from. What is not installed is skipped.
#include "data/formats/fasta_genome.h"
#include "data/formats/genome.h"
#include "data/formats/idx_file.h"
#include "tests/data/helpers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace longconv::data {
namespace {

namespace fs = std::filesystem;

const char kLambda[] = "/usr/share/doc/bowtie2/examples/reference/lambda_virus.fa.gz";
const char kBiopython[] = "/usr/share/doc/python-biopython-doc/Tests";
const char kLastz[] = "/usr/share/doc/lastz/examples/test_data";
const char kRagout[] = "/usr/share/doc/ragout/examples";
const char kHuman[] = "/usr/share/doc/artfastqgenerator/examples/miniReference.fasta.gz";

#define SKIP_WITHOUT(path, package)                                           \
  if (!fs::exists(path)) {                                                    \
    GTEST_SKIP() << (path) << " is not there: apt-get install " << (package); \
  }

std::string unzipped(const fs::path& path) {
  const auto bytes = read_maybe_gzip(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool have(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 1 << 16> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    out.append(chunk.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

/// Header to bases, lines joined.
std::map<std::string, std::string> sequences_in(const std::string& fasta) {
  std::map<std::string, std::string> out;
  std::string* current = nullptr;
  std::istringstream lines(fasta);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('>')) {
      std::istringstream words(line.substr(1));
      std::string name;
      words >> name;
      current = &out[name];
    } else if (current != nullptr) {
      *current += line;
    }
  }
  return out;
}

std::string whole(const Genome& genome, std::int64_t sequence) {
  std::string out(
      static_cast<std::size_t>(genome.sequences()[static_cast<std::size_t>(sequence)].length), '?');
  genome.read(sequence, 0, out);
  return out;
}

void expect_same(const Genome& genome, const std::map<std::string, std::string>& want) {
  ASSERT_EQ(genome.sequences().size(), want.size());
  for (const auto& [name, bases] : want) {
    const std::int64_t sequence = genome.find(name);
    ASSERT_GE(sequence, 0) << name;
    ASSERT_EQ(whole(genome, sequence), bases) << name;
    // Some windows, too: runs are cut at their ends.
    const auto length = static_cast<std::int64_t>(bases.size());
    for (std::int64_t i = 0; i < 200; ++i) {
      const std::int64_t begin = i * 7919 % length;
      const std::int64_t count = std::min<std::int64_t>(1 + i * 31 % 257, length - begin);
      std::string got(static_cast<std::size_t>(count), '?');
      genome.read(sequence, begin, got);
      ASSERT_EQ(got,
                bases.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    }
  }
}

TEST(GenomePeers, LambdaPhageHasTheKnownIndex) {
  SKIP_WITHOUT(kLambda, "bowtie2-examples");
  const test::ScratchFolder folder;
  const auto genome = open_genome(test::put(folder / "lambda.fa", unzipped(kLambda)));
  EXPECT_EQ(test::slurp(folder / "lambda.fa.fai"),
            "gi|9626243|ref|NC_001416.1|\t48502\t74\t70\t71\n");
  EXPECT_EQ(whole(*genome, 0).substr(0, 12), "GGGCGGCGACCT");
}

/// Our index and windows of a real file, plain and bgzip, are those of samtools.
void compare_with_samtools(const fs::path& source, const std::string& package) {
  SKIP_WITHOUT(source, package);
  if (!have("samtools") || !have("bgzip")) GTEST_SKIP() << "apt-get install samtools tabix";
  const test::ScratchFolder folder;
  const std::string ours = test::put(folder / "ours.fa", unzipped(source));
  const std::string theirs = test::put(folder / "theirs.fa", unzipped(source));
  output_of("samtools faidx " + theirs);
  const auto genome = open_genome(ours);
  EXPECT_EQ(test::slurp(ours + ".fai"), test::slurp(theirs + ".fai"));
  output_of("bgzip -k " + ours + " && bgzip -k " + theirs + " && samtools faidx " + theirs + ".gz");
  const auto zipped = open_genome(ours + ".gz");
  EXPECT_EQ(test::slurp(ours + ".gz.fai"), test::slurp(theirs + ".gz.fai"));
  EXPECT_EQ(test::slurp(ours + ".gz.gzi"), test::slurp(theirs + ".gz.gzi"));
  struct Window {
    std::int64_t sequence, begin, count;
  };
  std::vector<Window> windows;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto sequence = i % static_cast<std::int64_t>(genome->sequences().size());
    const Sequence& from = genome->sequences()[static_cast<std::size_t>(sequence)];
    const std::int64_t begin = i * 1'299'709 % from.length;
    const std::int64_t count =
        std::min<std::int64_t>(1 + i * i * 17 % 200'000, from.length - begin);
    windows.push_back({sequence, begin, count});
  }
  std::string list;
  for (const Window& w : windows) {
    list +=
        fmt::format("{}:{}-{}\n", genome->sequences()[static_cast<std::size_t>(w.sequence)].name,
                    w.begin + 1, w.begin + w.count);
  }
  test::put(folder / "regions", list);
  std::istringstream lines(
      output_of("samtools faidx -n 1000000 -r " + (folder / "regions").string() + " " + theirs));
  const auto by_theirs = open_genome(theirs + ".gz");  // with samtools' two indices
  std::string header;
  std::string want;
  for (const Window& w : windows) {
    std::getline(lines, header);
    std::getline(lines, want);
    for (const Genome* each : {genome.get(), zipped.get(), by_theirs.get()}) {
      std::string got(static_cast<std::size_t>(w.count), '?');
      each->read(w.sequence, w.begin, got);
      ASSERT_EQ(got, want) << header;
    }
  }
}

TEST(GenomePeers, SamtoolsReadsEColiAlike) {
  compare_with_samtools(fs::path(kRagout) / "E.Coli/references/DH1.fasta.gz", "ragout-examples");
}
TEST(GenomePeers, SamtoolsReadsTwoChromosomesAlike) {
  compare_with_samtools(fs::path(kRagout) / "V.Cholerae/references/H1.fasta.gz", "ragout-examples");
}
TEST(GenomePeers, SamtoolsReadsHumanPiecesAlike) {
  compare_with_samtools(kHuman, "artfastqgenerator-examples");
}
TEST(GenomePeers, SamtoolsReadsMaskedSequencesAlike) {
  compare_with_samtools(fs::path(kLastz) / "pseudopig.fa.gz", "lastz-examples");
}

TEST(GenomePeers, TwoBitOfEitherOrderAndVersionIsItsFasta) {
  const fs::path folder = fs::path(kBiopython) / "TwoBit";
  SKIP_WITHOUT(folder, "python-biopython-doc");
  const auto want = sequences_in(unzipped(folder / "sequence.fa"));
  ASSERT_GE(want.size(), 5U);
  for (const char* name : {"littleendian", "bigendian"}) {
    SCOPED_TRACE(name);
    expect_same(*open_genome(folder / (std::string("sequence.") + name + ".2bit")), want);
  }
  // The one of version 1 has one sequence less.
  const auto genome = open_genome(folder / "sequence.long.2bit");
  ASSERT_EQ(genome->sequences().size(), 5U);
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(whole(*genome, i), want.at(genome->sequences()[static_cast<std::size_t>(i)].name));
  }
}

TEST(GenomePeers, TwoBitWithMaskedRunsIsItsFasta) {
  const fs::path folder = kLastz;
  SKIP_WITHOUT(folder / "pseudopig.2bit.gz", "lastz-examples");
  const test::ScratchFolder scratch;
  const auto file = test::put(scratch / "pig.2bit", unzipped(folder / "pseudopig.2bit.gz"));
  expect_same(*open_genome(file), sequences_in(unzipped(folder / "pseudopig.fa.gz")));
}

TEST(GenomePeers, BiopythonsBgzipIsRead) {
  const fs::path source = fs::path(kBiopython) / "Blat/hg38.fa.gz";
  SKIP_WITHOUT(source, "python-biopython-doc");
  const auto genome = open_genome(source);
  EXPECT_EQ(genome->sequences().size(), 2U);
  expect_same(*genome, sequences_in(unzipped(source)));
}

}  // namespace
}  // namespace longconv::data
