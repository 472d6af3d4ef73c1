// data inspect of genomes, intervals and labelled DNA.
#include "data/tasks/dna_labelled.h"
#include "data/tasks/inspect.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace longconv::data {
namespace {

using nlohmann::json;
using test::put;

TEST(InspectGenome, ShowsSequencesAndComposition) {
  const test::ScratchFolder folder;
  const auto path = put(folder / "g.fa", ">a\nAACC\nGGgN\n>b\nTTTTTTRt\n");
  const json out = json::parse(inspect_data(path, {2, false}));
  EXPECT_EQ(out["kind"], "genome");
  EXPECT_EQ(out["sequences"], 2);
  EXPECT_EQ(out["bases"], 16);
  EXPECT_EQ(out["lengths"]["b"], 8);
  EXPECT_DOUBLE_EQ(out["share_of_bases"]["A"], 2.0 / 16);
  EXPECT_DOUBLE_EQ(out["share_of_bases"]["G"], 3.0 / 16);
  EXPECT_DOUBLE_EQ(out["share_of_bases"]["T"], 7.0 / 16);
  EXPECT_DOUBLE_EQ(out["share_of_bases"]["N"], 1.0 / 16);
  EXPECT_DOUBLE_EQ(out["share_of_bases"]["others"], 1.0 / 16);
  EXPECT_DOUBLE_EQ(out["soft_masked"], 2.0 / 16);
  EXPECT_DOUBLE_EQ(out["gc"], 5.0 / 14);
  EXPECT_EQ(out["shown"][1]["sequence"], "b");
  EXPECT_EQ(out["shown"][1]["bases"], "TTTTTTRt");
}

TEST(InspectGenome, MeasuresALargeOneInStretchesAndAllOfItWhenAsked) {
  const test::ScratchFolder folder;
  const std::string half(9'000'000, 'A');
  const auto path =
      put(folder / "g.fa", ">a\n" + half + "\n>b\n" + std::string(9'000'000, 'C') + "\n");
  const json some = json::parse(inspect_data(path, {1, false}));
  EXPECT_LT(some["measured_bases"], 17'000'000);
  EXPECT_NEAR(some["gc"].get<double>(), 0.5, 0.01);
  const json all = json::parse(inspect_data(path, {1, true}));
  EXPECT_EQ(all["measured_bases"], 18'000'000);
  EXPECT_EQ(all["gc"], 0.5);
}

TEST(InspectGenome, ShowsIntervals) {
  const test::ScratchFolder folder;
  const auto path = put(folder / "i.bed", "c\t0\t10\ttrain\nc\t5\t9\tvalid\nd\t1\t9\ttrain\n");
  const json out = json::parse(inspect_data(path, {1, false}));
  EXPECT_EQ(out["kind"], "intervals");
  EXPECT_EQ(out["intervals"], 3);
  EXPECT_EQ(out["bases"], 22);
  EXPECT_EQ(out["fourth_column"]["train"], 2);
  EXPECT_EQ(out["length"]["median"], 8);
  EXPECT_EQ(out["shown"].size(), 1U);
}

TEST(InspectGenome, ShowsLabelledSequencesAsLetters) {
  const test::ScratchFolder folder;
  for (const char* part : {"train", "test"}) {
    put(folder / "own" / part / "yes.fa", ">1\nACGTN\n");
    put(folder / "own" / part / "no.fa", ">1\nTTTTT\n");
  }
  prepare_dna_fasta(DnaFastaConfig(), folder / "own", folder / "own.lcs", 1);
  const json out = json::parse(inspect_data(folder / "own.lcs", {2, true}));
  EXPECT_EQ(out["task"], "dna_fasta");
  EXPECT_EQ(out["shown"][1]["text"], "ACGTN");
  EXPECT_EQ(out["shown"][1]["label"], "yes");
  EXPECT_DOUBLE_EQ(out["share_of_values"]["T"], 0.6);
}

}  // namespace
}  // namespace longconv::data
