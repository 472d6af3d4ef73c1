// Windows of whole genomes: small ones, and the four bacteria of Debian's ragout-examples.
#include "data/tasks/dna_species.h"

#include "data/tasks/dna_chromatin.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Species : public ::testing::Test {
 protected:
  Species() {
    for (const char* chromosome : {"chr1", "chr2", "chr5", "chrX"}) {
      put(folder_ / "cat" / (std::string(chromosome) + ".fa"), ">c\n" + repeated("ACGTA", 20));
      put(folder_ / "dog" / (std::string(chromosome) + ".fna"),
          ">d\n" + repeated("TTTTGGGG", 25) + ">short\nGGGG\n");
    }
    put(folder_ / "README", "no species");
    config.folder.set(folder_.path());
    config.seq_len.set(10);
    config.count.set(500);
  }
  static std::string repeated(const std::string& unit, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += unit;
    return out + "\n";
  }
  test::ScratchFolder folder_;
  DnaSpeciesConfig config;
};

TEST_F(Species, ChromosomesBelongToOnePart) {
  const std::map<std::string, std::set<std::string>> want = {
      {"train", {"chr2", "chrX"}}, {"validation", {"chr1"}}, {"test", {"chr5"}}};
  for (const auto& [part, files] : want) {
    config.part.set(part);
    const DnaSpecies data(config);
    EXPECT_THAT(data.species(), ElementsAre("cat", "dog"));
    std::set<std::string> seen;
    std::map<std::int64_t, int> labels;
    for (std::int64_t i = 0; i < data.size(); ++i) {
      const auto window = data.window(data.fixed_key(i));
      seen.insert(std::filesystem::path(window.file).stem());
      ++labels[window.species];
      EXPECT_EQ(window.sequence == "c", window.species == 0);
    }
    EXPECT_EQ(seen, files);
    EXPECT_NEAR(labels[0], 250, 60);
  }
}

TEST_F(Species, EveryStartIsDrawnAndShortSequencesArePadded) {
  const DnaSpecies data(config);
  std::set<std::int64_t> starts;
  bool padded = false;
  for (std::uint64_t key = 0; key < 5000; ++key) {
    const auto window = data.window(key);
    if (window.sequence == "c") starts.insert(window.begin);
    padded |= window.sequence == "short" && window.bases == "GGGG" && window.begin == 0;
  }
  EXPECT_EQ(starts.size(), 91U);  // 0 to 90 of 100 bases
  EXPECT_EQ(*starts.rbegin(), 90);
  EXPECT_TRUE(padded);
  for (std::uint64_t key = 0;; ++key) {
    if (data.window(key).sequence != "short") continue;
    const Batch batch = data.draw(std::vector<std::int64_t>{0}, std::vector<std::uint64_t>{key});
    const auto* row = batch.input.const_data_ptr<std::int64_t>();
    EXPECT_THAT((std::vector<std::int64_t>{row, row + 10}),
                ElementsAre(4, 4, 4, 4, 4, 4, 9, 9, 9, 9));
    EXPECT_EQ(batch.target.const_data_ptr<std::int64_t>()[0], 1);
    break;
  }
}

TEST_F(Species, TrainingDrawsAnewAndEvaluationDoesNot) {
  const std::vector<std::int64_t> some{0, 1, 2, 3, 4, 5};
  const std::vector<std::uint64_t> first{1, 2, 3, 4, 5, 6};
  const std::vector<std::uint64_t> second{7, 8, 9, 10, 11, 12};
  const DnaSpecies train(config);
  EXPECT_FALSE(train.draw(some, first).input.equal(train.draw(some, second).input));
  config.part.set("test");
  config.reverse_complement.set(true);
  const DnaSpecies test(config);
  EXPECT_TRUE(test.draw(some, first).input.equal(test.draw(some, second).input));
  EXPECT_TRUE(test.draw(some, first).input.equal(test.get(some).input));
}

TEST_F(Species, EndsMayBeTrimmedAndSequencesWeighed) {
  config.trim_ends.set(true);
  config.by_length.set(true);
  const DnaSpecies data(config);
  int shorts = 0;
  for (std::uint64_t key = 0; key < 5000; ++key) {
    const auto window = data.window(key);
    if (window.sequence == "short") ++shorts;
    if (window.sequence == "c") {
      EXPECT_GE(window.begin, 10);
      EXPECT_LE(window.begin, 80);
    }
  }
  EXPECT_GT(shorts, 5);
  EXPECT_LT(shorts, 5000 / 2 * 4 / 164 * 3);
}

TEST_F(Species, OnePartInWindowsOfOtherLengths) {
  const DnaSpecies data(config);
  const auto longer = data.at_length(30);
  EXPECT_EQ(longer->seq_len(), 30);
  EXPECT_EQ(longer->size(), data.size());
  EXPECT_EQ(longer->fingerprint(), data.fingerprint()) << "the same files";
  config.seq_len.set(30);
  const std::vector<std::int64_t> some{0, 1, 2, 3};
  EXPECT_TRUE(longer->get(some).input.equal(DnaSpecies(config).get(some).input));
  config.part.set("test");
  EXPECT_NE(DnaSpecies(config).fingerprint(), data.fingerprint());
  const DnaSpecies direct(config, "train", 10, 500);
  EXPECT_TRUE(direct.get(some).input.equal(data.get(some).input));
}

TEST_F(Species, WhatIsMissingIsNamed) {
  config.species.set({"cat", "cow"});
  EXPECT_THAT(message_of<ConfigError>([&] { DnaSpecies{config}; }), HasSubstr("no folder \"cow\""));
  config.species.set({"cat", "../cat"});
  EXPECT_THAT(message_of<ConfigError>([&] { DnaSpecies{config}; }), HasSubstr("../cat"));
  config.species.set({"cat"});
  EXPECT_THAT(message_of<ConfigError>([&] { DnaSpecies{config}; }), HasSubstr("has 1 species"));
  config.species.set({});
  config.validation.set({"3"});
  config.part.set("validation");
  EXPECT_THAT(message_of<DataError>([&] { DnaSpecies{config}; }),
              HasSubstr("cat: no FASTA or 2bit file of it belongs to part \"validation\""));
  put(folder_ / "cat/chr2.fna", ">c\nA\n");
  EXPECT_THAT(message_of<DataError>([&] { DnaSpecies{config}; }), HasSubstr("there is also chr2"));
  config.folder.set(folder_ / "none");
  EXPECT_THAT(message_of<ConfigError>([&] { DnaSpecies{config}; }), HasSubstr("folder: "));
}

TEST(SpeciesOfBacteria, StrainsAreHeldOut) {
  const std::filesystem::path source = "/usr/share/doc/ragout/examples";
  if (!std::filesystem::exists(source)) {
    GTEST_SKIP() << source << " is not there: apt-get install ragout-examples";
  }
  const test::ScratchFolder folder;
  for (const char* species : {"E.Coli", "S.Aureus", "H.Pylori", "V.Cholerae"}) {
    std::filesystem::create_directory_symlink(source / species / "references", folder / species);
  }
  DnaSpeciesConfig config;
  config.folder.set(folder.path());
  config.validation.set({});
  config.test.set({"DH1", "COL", "G27", "O395"});
  config.seq_len.set(1000);
  config.count.set(400);
  config.part.set("test");
  const DnaSpecies test(config);
  // The share of G and C tells these four apart in the mean: 51, 33, 39 and 47 %.
  std::map<std::int64_t, std::pair<double, int>> shares;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    const auto window = test.window(test.fixed_key(i));
    EXPECT_EQ(window.bases.size(), 1000U);
    const auto gc = std::count_if(window.bases.begin(), window.bases.end(),
                                  [](char base) { return base == 'G' || base == 'C'; });
    shares[window.species].first += static_cast<double>(gc) / 1000.0;
    ++shares[window.species].second;
  }
  const double want[] = {0.51, 0.39, 0.33,
                         0.475};  // by name: E. coli, H. pylori, S. aureus, V. cholerae
  ASSERT_EQ(shares.size(), 4U);
  for (const auto& [species, sum] : shares) {
    EXPECT_NEAR(sum.first / sum.second, want[species], 0.02) << test.species()[species];
  }
}

class Chromatin : public ::testing::Test {
 protected:
  Chromatin() {
    std::string bases;
    for (int i = 0; i < 1400; ++i) bases += "ACGT"[(i * i / 5) % 4];
    bases_ = bases;
    config.genome.set(put(folder_ / "g.fa", ">chr1\n" + bases + "\n>chrX\n" + bases + "\n"));
    config.labels.set(9);
  }
  void table(const std::string& rows,
             const std::string& columns = "y_1,y_2,y_3,y_4,y_5,y_6,y_7,y_8,y_9") {
    config.targets.set(put(folder_ / "t.csv", ",Chr_No,Start,End," + columns + "\n" + rows));
  }
  test::ScratchFolder folder_;
  std::string bases_;
  DnaChromatinConfig config;
};

TEST_F(Chromatin, WindowsGrowAndLabelsAreMany) {
  table("0,0,100,1100,1,0,0,0,0,0,0,1,1\r\n1,22,400,1400,0,0.0,1.0,0,0,0,0,0,0\n");
  {
    const DnaChromatin data(config);
    ASSERT_EQ(data.size(), 2);
    const Batch batch = data.get(std::vector<std::int64_t>{1, 0});
    EXPECT_EQ(batch.input.size(1), 1001);
    const auto* row = batch.input.const_data_ptr<std::int64_t>();
    EXPECT_EQ("ACGT"[row[0] - 7], bases_[400]);
    EXPECT_EQ("ACGT"[row[999] - 7], bases_[1399]);
    EXPECT_EQ(row[1000], 1);
    const auto* target = batch.target.const_data_ptr<float>();
    EXPECT_THAT((std::vector<float>{target, target + 18}),
                ElementsAre(0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1));
  }
  config.seq_len.set(1600);
  config.end_symbol.set(false);
  const Batch wide = DnaChromatin(config).get(std::vector<std::int64_t>{0});
  const auto* row = wide.input.const_data_ptr<std::int64_t>();
  EXPECT_EQ(row[0], 6);  // 200 bases before the chromosome
  EXPECT_EQ(row[199], 6);
  EXPECT_EQ("ACGT"[row[200] - 7], bases_[0]);
  EXPECT_EQ("ACGT"[row[1599] - 7], bases_[1399]);
}

TEST_F(Chromatin, EveryMistakeHasFileAndLine) {
  const auto says = [&](const std::string& rows) {
    table(rows);
    return message_of<DataError>([&] { DnaChromatin{config}; });
  };
  EXPECT_THAT(says(""), HasSubstr("t.csv: no windows"));
  EXPECT_THAT(says("0,0,100,1100,1\n"),
              HasSubstr("t.csv:2: 5 fields between commas, the first line has 13"));
  EXPECT_THAT(says("0,0,100,1101,1,0,0,0,0,0,0,0,0\n"), HasSubstr("[100, 1101): expected 1000"));
  EXPECT_THAT(says("0,0,401,1401,1,0,0,0,0,0,0,0,0\n"), HasSubstr("in a sequence of 1400"));
  EXPECT_THAT(says("0,7,0,1000,1,0,0,0,0,0,0,0,0\n"), HasSubstr("no chromosome for Chr_No 7"));
  EXPECT_THAT(says("0,9223372036854775807,0,1000,1,0,0,0,0,0,0,0,0\n"),
              HasSubstr("no chromosome for Chr_No 9223372036854775807"));
  EXPECT_THAT(says("0,0,0,1000,1,0,0,2,0,0,0,0,0\n"), HasSubstr("t.csv:2: y_4 is \"2\""));
  config.labels.set(919);
  EXPECT_THAT(says("0,0,0,1000,1,0,0,0,0,0,0,0,0\n"), HasSubstr("9 columns y_..., expected 919"));
  config.labels.set(9);
  config.seq_len.set(1001);
  EXPECT_THAT(message_of<ConfigError>([&] { DnaChromatin{config}; }), HasSubstr("even"));
}

}  // namespace
}  // namespace longconv::data
