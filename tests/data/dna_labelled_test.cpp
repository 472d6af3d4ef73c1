// Labelled DNA from its published layouts to batches and prompts.
#include "data/tasks/dna_labelled.h"

#include "data/tasks/dna_prompts.h"
#include "data/tasks/samples.h"
#include "tests/data/helpers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int64_t> row_of(const at::Tensor& tensor, std::int64_t row) {
  const auto* data = tensor.const_data_ptr<std::int64_t>() + row * tensor.size(1);
  return {data, data + tensor.size(1)};
}

std::string says_of(const auto& act) { return message_of<DataError>(act); }

class LabelledDna : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path out() const { return folder_ / "out.lcs"; }
  /// The bases of sample i and its class.
  static std::string sample(const SampleView& shard, std::int64_t i) {
    const SampleFacts facts = read_facts(shard);
    std::vector<std::int64_t> values(static_cast<std::size_t>(shard.length(i, 0)));
    shard.read(i, 0, values);
    std::string text;
    for (const std::int64_t value : values) text += facts.symbols[static_cast<std::size_t>(value)];
    return text + " " + facts.classes[static_cast<std::size_t>(shard.label(i))];
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const SampleShard shard(out());
    std::vector<std::string> text;
    for (std::int64_t i = 0; i < shard.view().layout().samples; ++i) {
      text.push_back(sample(shard.view(), i));
    }
    return text;
  }
  test::ScratchFolder folder_;
};

class GenomicBenchmark : public LabelledDna {
 protected:
  std::filesystem::path root_ = folder_ / "set";
  GenomicBenchmarkConfig config_;
  Written prepare() { return prepare_genomic_benchmark(config_, root_, out(), 2); }
};

TEST_F(GenomicBenchmark, FoldersOfFilesBecomeSamples) {
  // Made in an order that a listing would not sort.
  put(root_ / "test/positive/9.txt", "GG\n");
  put(root_ / "train/positive/2.txt", "TTacgR");
  put(root_ / "train/positive/10.txt", "CA");
  put(root_ / "train/negative/1.txt", "AC");
  put(root_ / "test/negative/3.txt", "CC\r\n");
  EXPECT_EQ(prepare().samples, 5);
  EXPECT_THAT(all(), ElementsAre("AC negative", "CA positive", "TTACGN positive", "CC negative",
                                 "GG positive"));
  config_.upper_case.set(false);
  prepare();
  EXPECT_EQ(all()[2], "TT[UNK][UNK][UNK][UNK] positive");
}

TEST_F(GenomicBenchmark, BatchesArePaddedOnTheLeftAndMayShowTheOtherStrand) {
  put(root_ / "train/a/1.txt", "ACGGT");
  put(root_ / "train/b/1.txt", "NT");
  put(root_ / "test/a/1.txt", "A");
  put(root_ / "test/b/1.txt", "A");
  prepare();
  SampleConfig config;
  config.path.set(out());
  config.split.validation_share.set(0.0);
  const std::vector<std::int64_t> both{0, 1};
  const Batch batch = SampleDataset(config).get(both);
  EXPECT_THAT(row_of(batch.input, 0), ElementsAre(7, 8, 9, 9, 10));
  EXPECT_THAT(row_of(batch.input, 1), ElementsAre(4, 4, 4, 11, 10));
  EXPECT_EQ(batch.target.const_data_ptr<std::int64_t>()[1], 1);
  EXPECT_EQ(batch.lengths.const_data_ptr<std::int64_t>()[1], 2);
  config.pad_side.set("right");
  EXPECT_THAT(row_of(SampleDataset(config).get(both).input, 1), ElementsAre(11, 10, 4, 4, 4));
  config.pad_side.set("usual");
  config.reverse_complement.set(true);
  config.seq_len.set(3);
  const SampleDataset strands(config);
  const std::vector<std::uint64_t> keys{1, 0};
  const Batch drawn = strands.draw(both, keys);
  EXPECT_THAT(row_of(drawn.input, 0), ElementsAre(7, 8, 8));  // ACCGT, cut
  EXPECT_THAT(row_of(drawn.input, 1), ElementsAre(4, 11, 10));
  EXPECT_THAT(row_of(strands.get(both).input, 0), ElementsAre(7, 8, 9));
}

TEST_F(GenomicBenchmark, IntervalsAreReadFromAGenome) {
  config_.genome.set(put(folder_ / "g.fa", ">chr1\nACGTTGCAAN\n>2\nCCCCA\n"));
  for (const char* part : {"train", "test"}) {
    put(root_ / part / "neg.csv", "id,region,start,end,strand\n0,chr1,0,4,+\r\n1,1,4,10,-\n");
    put(root_ / part / "pos.csv", "id,region,start,end,strand\n0,chr2,2,5,\n");
  }
  EXPECT_EQ(prepare().samples, 6);
  EXPECT_EQ(all()[0], "ACGT neg");
  EXPECT_EQ(all()[1], "NTTGCA neg");
  EXPECT_EQ(all()[5], "CCA pos");
  const auto says = [&](const std::string& line) {
    put(root_ / "train/pos.csv", "id,region,start,end,strand\n" + line);
    return says_of([&] { prepare(); });
  };
  EXPECT_THAT(says("0,chr2,2,6,\n"), HasSubstr("pos.csv:2: [2, 6) of chr2, which has 5 bases"));
  EXPECT_THAT(says("0,chr9,2,6,\n"), HasSubstr("has no sequence \"chr9\""));
  EXPECT_THAT(says("0,chr2,2,2,\n"), HasSubstr("[2, 2)"));
  EXPECT_THAT(says("0,chr2,1,2,*\n"), HasSubstr("strand \"*\""));
  EXPECT_THAT(says("0,chr2,1,2\n"), HasSubstr("pos.csv:2: 4 fields"));
  EXPECT_THAT(says("0,chr2,1,2,\n0,chr2,1,2,\n"), HasSubstr("pos.csv:3: id 0 a second time"));
  EXPECT_THAT(says(""), HasSubstr("pos.csv: no intervals in it"));
  put(root_ / "train/pos.csv", "region,id,start,end,strand\n");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("pos.csv:1: columns"));
  config_.genome.set("");
  EXPECT_THAT(message_of<ConfigError>([&] { prepare(); }), HasSubstr("holds intervals"));
}

TEST_F(GenomicBenchmark, ClassesThatDifferAndDamagedFilesAreErrors) {
  put(root_ / "train/a/1.txt", "A");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("train: 1 classes"));
  put(root_ / "train/b/1.txt", "A");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("test: 0 classes"));
  put(root_ / "test/a/1.txt", "A");
  put(root_ / "test/c/1.txt", "A");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("test: other classes than in"));
  std::filesystem::rename(root_ / "test/c", root_ / "test/b");
  put(root_ / "train/b/2.txt", "");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("2.txt: an empty sequence"));
  put(root_ / "train/b/2.txt", "AC\nGT");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("2.txt: byte 2 is no letter"));
  put(root_ / "train/b/2.txt", "AC");
  put(root_ / "train/b/2.fa", "AC");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("2.fa: expected files <id>.txt"));
  EXPECT_FALSE(std::filesystem::exists(out()));
}

class Nucleotide : public LabelledDna {
 protected:
  std::filesystem::path root_ = folder_ / "splice_sites_all";
  NucleotideTransformerConfig config_;
  Written prepare() { return prepare_nucleotide_task(config_, root_, out(), 1); }
};

TEST_F(Nucleotide, TheLabelIsTheLastCharacterOfTheHeader) {
  put(root_ / "splice_train.fasta", ">chr1 5 | donor|2\nACGT\nAC\n>x 0\r\nTT\r\n");
  put(root_ / "splice_test.fna", ">y|1\nGG\n");
  EXPECT_EQ(prepare().samples, 3);
  EXPECT_THAT(all(), ElementsAre("ACGTAC 2", "TT 0", "GG 1"));
  const SampleFacts facts = read_facts(SampleShard(out()).view());
  EXPECT_EQ(facts.task, "nucleotide_transformer splice_sites_all");
  const auto says = [&](const std::string& text) {
    put(root_ / "splice_test.fna", text);
    return says_of([&] { prepare(); });
  };
  EXPECT_THAT(says(">y|3\nGG\n"), HasSubstr("splice_test.fna:1: header \"y|3\""));
  EXPECT_THAT(says(">a|0\nGG\n>y\nGG\n"), HasSubstr("splice_test.fna:3: header \"y\""));
  EXPECT_THAT(says(">a|0\n" + std::string(401, 'A')), HasSubstr("401 bases"));
  put(root_ / "more_test.fa", ">a|0\nA\n");
  EXPECT_THAT(says_of([&] { prepare(); }), HasSubstr("2 FASTA files with \"test\""));
  config_.task.set("splice");
  EXPECT_THAT(message_of<ConfigError>([&] { prepare(); }), HasSubstr("there are: enhancers "));
}

TEST(NucleotideTasks, AreEighteenInEitherSpelling) {
  EXPECT_EQ(nucleotide_tasks().size(), 18U);
  EXPECT_EQ(find_nucleotide_task("promoter_non_tata"), find_nucleotide_task("promoter_no_tata"));
  EXPECT_EQ(find_nucleotide_task("enhancer_types")->classes, 3);
  EXPECT_STREQ(find_nucleotide_task("splice_sites_donor")->metric, "macro_f1");
  EXPECT_EQ(find_nucleotide_task("H3K9ac")->length, 500);
  EXPECT_EQ(find_nucleotide_task("H5"), nullptr);
}

TEST_F(LabelledDna, FastaOfYourOwnHasAFileAClass) {
  for (const char* part : {"train", "validation", "test"}) {
    put(folder_ / "own" / part / "yes.fa", ">1\nAC\n>1\nGT\n");
    put(folder_ / "own" / part / "no.fasta", ">1\nNN\n");
  }
  const DnaFastaConfig config;
  EXPECT_EQ(prepare_dna_fasta(config, folder_ / "own", out(), 1).samples, 9);
  std::vector<std::string> first = all();
  first.resize(3);
  EXPECT_THAT(first, ElementsAre("NN no", "AC yes", "GT yes"));
  EXPECT_EQ(read_facts(SampleShard(out()).view()).splits.size(), 3U);
  put(folder_ / "own/test/no.fna", ">1\nNN\n");
  EXPECT_THAT(says_of([&] { prepare_dna_fasta(config, folder_ / "own", out(), 1); }),
              HasSubstr("class no is also"));
}

TEST_F(LabelledDna, PromptsShowEachClassAndAskForTheQuery) {
  for (const char* part : {"train", "test"}) {
    std::string a;
    std::string b;
    for (int i = 0; i < 5; ++i) {
      a += fmt::format(">{}\n{:A>{}}\n", i, "", i + 1);
      b += fmt::format(">{}\n{:C>{}}\n", i, "", i + 1);
    }
    put(folder_ / "own" / part / "a.fa", a);
    put(folder_ / "own" / part / "b.fa", b);
  }
  prepare_dna_fasta(DnaFastaConfig(), folder_ / "own", out(), 1);
  DnaPromptConfig config;
  config.path.set(out());
  config.max_length.set(4);
  const DnaPrompts data(config);
  ASSERT_EQ(data.size(), 10);
  std::set<std::vector<std::int64_t>> seen;
  for (std::uint64_t key = 0; key < 50; ++key) {
    const Batch batch = data.draw(std::vector<std::int64_t>{9}, std::vector<std::uint64_t>{key});
    EXPECT_EQ(batch.target.const_data_ptr<std::int64_t>()[0], 11);  // class b is N
    const auto row = row_of(batch.input, 0);
    ASSERT_LE(static_cast<std::int64_t>(row.size()), data.seq_len());
    EXPECT_EQ(batch.lengths.const_data_ptr<std::int64_t>()[0],
              static_cast<std::int64_t>(row.size()));
    // Runs between [SEP]: sequence, label, ..., query.
    std::vector<std::vector<std::int64_t>> runs(1);
    for (const std::int64_t id : row) {
      if (id == 1) {
        runs.emplace_back();
      } else {
        runs.back().push_back(id);
      }
    }
    ASSERT_EQ(runs.size(), 2U * 4 + 1 + 1);
    EXPECT_EQ(runs[8], std::vector<std::int64_t>(4, 8));  // CCCCC, cut
    int of_a = 0;
    for (std::size_t shot = 0; shot < 4; ++shot) {
      const std::int64_t base = runs[2 * shot].front();
      EXPECT_EQ(runs[2 * shot + 1], std::vector<std::int64_t>{base == 7 ? 7 : 11});
      of_a += base == 7 ? 1 : 0;
    }
    EXPECT_EQ(of_a, 2);
    seen.insert(row);
  }
  EXPECT_GT(seen.size(), 40U);
  const Batch two = data.get(std::vector<std::int64_t>{0, 9});
  EXPECT_TRUE(two.input.equal(data.get(std::vector<std::int64_t>{0, 9}).input));
  config.shots.set(5);
  EXPECT_THAT(message_of<ConfigError>([&] { DnaPrompts{config}; }),
              HasSubstr("expected more than 5"));
}

}  // namespace
}  // namespace longconv::data
