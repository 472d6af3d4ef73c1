// Small files by hand that show every quirk of the published ones (data.md 5.1).
#include "data/tasks/glue.h"

#include "data/tasks/inspect_samples.h"
#include "tests/data/helpers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace longconv::data {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::put;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Row {
  std::int64_t index;
  std::int64_t label;
  std::string first;
  std::string second;
  bool operator==(const Row& other) const = default;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.index << " " << row.label << " [" << row.first << "] [" << row.second << "]";
}

std::vector<Row> rows_of(const std::string& text, const char* task, const char* part,
                         std::int64_t left_out = 0) {
  std::vector<Row> rows;
  EXPECT_EQ(
      parse_glue(
          text, "in.tsv", glue_task(task), part,
          [&](const GlueRow& row) {
            rows.push_back({row.index, row.label, std::string(row.first), std::string(row.second)});
          }),
      left_out);
  return rows;
}

std::string message(const std::string& text, const char* task, const char* part) {
  return message_of<DataError>(
      [&] { parse_glue(text, "in.tsv", glue_task(task), part, [](const GlueRow&) {}); });
}

TEST(GlueFile, ColaHasNoHeaderButInTheTest) {
  EXPECT_THAT(
      rows_of("gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tThey \"drank\n", "cola",
              "train"),
      ElementsAre(Row{0, 1, "Our friends won't buy this.", ""}, Row{1, 0, "They \"drank", ""}));
  EXPECT_THAT(rows_of("index\tsentence\n7\tBill whistled.\r\n", "cola", "test"),
              ElementsAre(Row{7, -1, "Bill whistled.", ""}));
}

TEST(GlueFile, Sst2KeepsTheSpaceAtTheEnd) {
  EXPECT_THAT(rows_of("sentence\tlabel\nhide new secretions \t0\n", "sst2", "train"),
              ElementsAre(Row{0, 0, "hide new secretions ", ""}));
  EXPECT_THAT(rows_of("index\tsentence\n0\tuneasy mishmash .\n", "sst2", "test"),
              ElementsAre(Row{0, -1, "uneasy mishmash .", ""}));
}

TEST(GlueFile, MrpcHasAByteOrderMarkAndQuotesThatMeanNothing) {
  const std::string train =
      "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
      "1\t702876\t702977\tAmrozi accused \"the witness\tHe \"said\" so\r\n"
      "0\t1\t2\t\"Open\tand never closed\n";
  EXPECT_THAT(rows_of(train, "mrpc", "train"),
              ElementsAre(Row{0, 1, "Amrozi accused \"the witness", "He \"said\" so"},
                          Row{1, 0, "\"Open", "and never closed"}));
  EXPECT_THAT(rows_of("index\t#1 ID\t#2 ID\t#1 String\t#2 String\n5\t1\t2\ta\tb\n", "mrpc", "test"),
              ElementsAre(Row{5, -1, "a", "b"}));
}

TEST(GlueFile, StsbScoresAreFoundByTheHeader) {
  const std::string header =
      "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2";
  std::vector<double> scores;
  parse_glue(header +
                 "\tscore\n0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA plane.\tAn "
                 "air plane.\t5.000\n1\tnews\tx\t2016\tnone\ta \"b\tc d\tOne\tTwo\t3.8\textra\n",
             "in.tsv", glue_task("stsb"), "train", [&](const GlueRow& row) {
               scores.push_back(row.score);
               EXPECT_EQ(row.label, -1);
             });
  EXPECT_THAT(scores, ElementsAre(5.0, 3.8));
  EXPECT_THAT(rows_of(header + "\n3\ta\tb\tc\td\te\tf\tOne\tTwo\n", "stsb", "test"),
              ElementsAre(Row{3, -1, "One", "Two"}));
  EXPECT_THAT(message(header + "\tscore\n0\ta\tb\tc\td\te\tf\tOne\tTwo\t5.1\n", "stsb", "train"),
              HasSubstr("in.tsv:2: score \"5.1\", expected a number from 0 to 5"));
}

TEST(GlueFile, QqpDropsBrokenLinesButNotOfTheTest) {
  const std::string train =
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
      "133273\t213221\t213222\tHow is life?\tIs it?\t0\n"
      "12\t1\t2\tA question with a line\n break\t0\n"
      "13\t3\t4\t\tWhy?\t1\n";
  EXPECT_THAT(rows_of(train, "qqp", "train", 2),
              ElementsAre(Row{0, 0, "How is life?", "Is it?"}, Row{1, 1, "", "Why?"}));
  EXPECT_THAT(rows_of("id\tquestion1\tquestion2\n9\ta\tb\n", "qqp", "test"),
              ElementsAre(Row{9, -1, "a", "b"}));
  EXPECT_THAT(message("id\tquestion1\tquestion2\n9\ta\n", "qqp", "test"),
              HasSubstr("in.tsv:2: 2 fields between tabs, expected 3 or more"));
}

TEST(GlueFile, MnliTakesTheGoldLabelWhateverStandsBeforeIt) {
  const std::string start =
      "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
      "sentence1_parse\tsentence2_parse\tsentence1\tsentence2";
  const std::string row = "0\t1\t1n\tfiction\t( a )\t( b )\t(R a)\t(R b)\tThe premise\tIt follows";
  EXPECT_THAT(
      rows_of(start + "\tlabel1\tgold_label\n" + row + "\tneutral\tneutral\n", "mnli", "train"),
      ElementsAre(Row{0, 1, "The premise", "It follows"}));
  const std::string dev = start + "\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n";
  EXPECT_THAT(
      rows_of(dev + row + "\tneutral\tneutral\tentailment\tneutral\tcontradiction\tentailment\n" +
                  row + "\tneutral\tneutral\tentailment\tentailment\tcontradiction\t-\n" + row +
                  "\t\t\t\t\t\tcontradiction\n",
              "mnli", "validation_mismatched", 1),
      ElementsAre(Row{0, 0, "The premise", "It follows"}, Row{1, 2, "The premise", "It follows"}));
  EXPECT_THAT(rows_of(start + "\n" + row + "\n", "mnli", "test_mismatched"),
              ElementsAre(Row{0, -1, "The premise", "It follows"}));
  EXPECT_THAT(
      message(start + "\tlabel1\tgold_label\n" + row + "\tneutral\thidden\n", "mnli", "train"),
      HasSubstr("label \"hidden\", expected entailment, neutral, contradiction"));
}

TEST(GlueFile, TheOthersHaveTheirOwnNamesAndWords) {
  EXPECT_THAT(rows_of("index\tquestion\tsentence\tlabel\n0\tWhen?\tThen.\tnot_entailment\n", "qnli",
                      "validation"),
              ElementsAre(Row{0, 1, "When?", "Then."}));
  EXPECT_THAT(
      rows_of("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n", "rte", "validation"),
      ElementsAre(Row{0, 0, "a", "b"}));
  EXPECT_THAT(rows_of("index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", "wnli", "train"),
              ElementsAre(Row{0, 1, "a", "b"}));
  EXPECT_THAT(rows_of("index\tsentence1\tsentence2\n1103\ta\tb\n", "ax", "test"),
              ElementsAre(Row{1103, -1, "a", "b"}));
  EXPECT_THAT(rows_of("Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\t"
                      "Premise\tHypothesis\tLabel\n\t\tNegation;Double\t\tArtificial\ta\tb\t"
                      "contradiction\n",
                      "ax", "validation"),
              ElementsAre(Row{0, 2, "a", "b"}));
}

TEST(GlueFile, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(message("", "rte", "train"), HasSubstr("in.tsv: empty, expected a header"));
  EXPECT_THAT(message("index\tsentence1\tsentence2\tlabel\n", "rte", "train"),
              HasSubstr("in.tsv: no rows"));
  EXPECT_THAT(message("index\tsentence1\tsentence2\n0\ta\tb\n", "rte", "train"),
              HasSubstr("in.tsv:1: RTE train needs the column \"label\", the header has: index, "
                        "sentence1, sentence2"));
  EXPECT_THAT(message("index\tsentence1\tsentence2\tlabel\n0\ta\tb\n", "rte", "train"),
              HasSubstr("in.tsv:2: 3 fields between tabs, expected 4"));
  EXPECT_THAT(message("index\tsentence1\tsentence2\n-1\ta\tb\n", "rte", "test"),
              HasSubstr("in.tsv:2: index \"-1\""));
  EXPECT_THAT(message("index\tsentence1\tsentence2\n4294967300\ta\tb\n", "rte", "test"),
              HasSubstr("in.tsv:2: index \"4294967300\", expected a whole number below 2^31"))
      << "a shard would keep it as 4";
  EXPECT_THAT(message("index\tsentence1\tsentence2\n7\ta\tb\n0\ta\tb\n7\ta\tb\n", "rte", "test"),
              HasSubstr("in.tsv:4: index 7 a second time"));
  EXPECT_THAT(message("gj04\tx\t\ttext\n", "cola", "train"), HasSubstr("label \"x\""));
  EXPECT_THAT(message("index\tsentence\n0\tna\xefve\n", "cola", "test"),
              HasSubstr("in.tsv:2: not UTF-8 at byte 19"));
  EXPECT_THAT(message_of<DataError>([] { glue_task("boolq"); }),
              HasSubstr("there are: cola, sst2, mrpc"));
}

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

class GlueShard : public ::testing::Test {
 protected:
  GlueShard() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (char c = 'a'; c <= 'z'; ++c) vocabulary.append(1, c).append("\n");  // a = 5
    files_.tokenizer.set(put(folder_ / "vocab.txt", vocabulary).string());
  }
  Written prepare(const char* task) {
    files_.task.set(task);
    config_.path.set((folder_ / "out.lcs").string());
    return prepare_glue(files_, folder_ / "glue", folder_ / "out.lcs", 1);
  }
  GlueDataset open(const char* part, std::int64_t seq_len = 8) {
    config_.part.set(part);
    config_.seq_len.set(seq_len);
    return GlueDataset(config_);
  }
  test::ScratchFolder folder_;
  GlueFilesConfig files_;
  GlueConfig config_;
};

TEST_F(GlueShard, PairsBecomeFeatures) {
  put(folder_ / "glue/RTE/train.tsv",
      "index\tsentence1\tsentence2\tlabel\n0\ta b\tc\tentailment\n1\ta b c d\te f "
      "g\tnot_entailment\n"
      "2\ta\t\tentailment\n");
  put(folder_ / "glue/RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tx\ty\tentailment\n");
  EXPECT_EQ(prepare("rte").samples, 4);
  const GlueDataset data = open("train");
  EXPECT_EQ(data.size(), 3);
  const Batch batch = data.get(std::vector<std::int64_t>{0, 1, 2});
  EXPECT_THAT(numbers(batch.input), ElementsAre(2, 5, 6, 3, 7, 3, 0, 0,    //
                                                2, 5, 6, 7, 3, 9, 10, 3,   // longest first
                                                2, 5, 3, 3, 0, 0, 0, 0));  // an empty second one
  EXPECT_THAT(numbers(batch.types), ElementsAre(0, 0, 0, 0, 1, 1, 0, 0,    //
                                                0, 0, 0, 0, 0, 1, 1, 1,    //
                                                0, 0, 0, 1, 0, 0, 0, 0));
  EXPECT_THAT(numbers(batch.lengths), ElementsAre(6, 8, 4));
  EXPECT_THAT(numbers(batch.target), ElementsAre(0, 1, 0));
  EXPECT_EQ(open("validation").size(), 1);
  EXPECT_THAT(message_of<ConfigError>([&] { open("test"); }), HasSubstr("no such part"));
  const auto shown = nlohmann::json::parse(inspect_samples(folder_ / "out.lcs", 1, true));
  EXPECT_EQ(shown["shown"][0]["text"], "a b | c");
  EXPECT_EQ(shown["shown"][0]["label"], "entailment");
}

TEST_F(GlueShard, ScoresAreNumbersAndSubmissionsClipped) {
  const std::string header =
      "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2";
  const std::string row = "\tg\tf\t2012\t1\tnone\tnone\ta\tb";
  put(folder_ / "glue/STS-B/train.tsv", header + "\tscore\n0" + row + "\t2.533\n");
  put(folder_ / "glue/STS-B/dev.tsv", header + "\tscore\n0" + row + "\t5.000\n");
  put(folder_ / "glue/STS-B/test.tsv", header + "\n10" + row + "\n12" + row + "\n11" + row + "\n");
  prepare("stsb");
  const Batch batch = open("train").get(std::vector<std::int64_t>{0});
  EXPECT_EQ(batch.target.scalar_type(), at::kFloat);
  EXPECT_FLOAT_EQ(batch.target.const_data_ptr<float>()[0], 2.533F);
  const GlueDataset test = open("test");
  const auto path =
      write_glue_submission(folder_ / "sub", test, "test", std::vector<double>{5.2, -0.1, 3.14159});
  EXPECT_EQ(path.filename(), "STS-B.tsv");
  EXPECT_EQ(slurp(path), "index\tprediction\n10\t5.000\n12\t0.000\n11\t3.142\n");
}

TEST_F(GlueShard, MnliHasTwoOfEachAndWordsInSubmissions) {
  const std::string start = "index\tpromptID\tpairID\tgenre\ta\tb\tc\td\tsentence1\tsentence2";
  const std::string row = "\t1\t1n\tfiction\ta\tb\tc\td\ta\tb";
  put(folder_ / "glue/MNLI/train.tsv",
      start + "\tlabel1\tgold_label\n0" + row + "\tneutral\tneutral\n");
  for (const char* name : {"dev_matched.tsv", "dev_mismatched.tsv"}) {
    put(folder_ / "glue/MNLI" / name,
        fmt::format("{}\tlabel1\tgold_label\n0{}\tneutral\tneutral\n", start, row));
  }
  put(folder_ / "glue/MNLI/test_mismatched.tsv", start + "\n0" + row + "\n1" + row + "\n");
  prepare("mnli");
  EXPECT_EQ(open("validation").size(), 1);
  EXPECT_EQ(open("validation_mismatched").size(), 1);
  const GlueDataset test = open("test_mismatched");
  EXPECT_THAT(numbers(test.get(std::vector<std::int64_t>{1}).target), ElementsAre(-1));
  const auto path =
      write_glue_submission(folder_.path(), test, "test_mismatched", std::vector<double>{2, 0});
  EXPECT_EQ(path.filename(), "MNLI-mm.tsv");
  EXPECT_EQ(slurp(path), "index\tprediction\n0\tcontradiction\n1\tentailment\n");
  const auto message = [&](const char* part, const std::vector<double>& predictions) {
    return message_of<DataError>(
        [&] { write_glue_submission(folder_.path(), test, part, predictions); });
  };
  EXPECT_THAT(message("validation", {0, 0}), HasSubstr("is not for submissions"));
  EXPECT_THAT(message("test_mismatched", {0}), HasSubstr("1 predictions for 2 samples"));
  EXPECT_THAT(message("test_mismatched", {0, 3}), HasSubstr("expected a label from 0 to 2"));
}

TEST_F(GlueShard, MrpcComesFromMicrosoftsFilesToo) {
  const std::string header = "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
  put(folder_ / "glue/MRPC/msr_paraphrase_train.txt",
      header + "1\t11\t12\ta\tb\n0\t21\t22\tc\td\n1\t31\t32\te\tf\n");
  put(folder_ / "glue/MRPC/msr_paraphrase_test.txt", header + "1\t41\t42\tg\th\n");
  put(folder_ / "glue/MRPC/dev_ids.tsv", "21\t22\n");
  prepare("mrpc");
  EXPECT_EQ(open("train").size(), 2);
  EXPECT_THAT(numbers(open("validation").get(std::vector<std::int64_t>{0}).target), ElementsAre(0));
  EXPECT_THAT(numbers(open("test").get(std::vector<std::int64_t>{0}).target), ElementsAre(-1));
  put(folder_ / "glue/MRPC/dev_ids.tsv", "21\t22\n98\t99\n");
  EXPECT_THAT(message_of<DataError>([&] { prepare("mrpc"); }),
              HasSubstr("1 of the 2 pairs of dev_ids.tsv are there"));
}

TEST_F(GlueShard, MissingFilesAndForeignShardsAreRefused) {
  EXPECT_THAT(message_of<DataError>([&] { prepare("cola"); }),
              HasSubstr("train.tsv: no such file; expected the CoLA files of GLUE"));
  GlueFilesConfig unset;
  EXPECT_THAT(message_of<ConfigError>([&] { prepare_glue(unset, folder_.path(), "x", 1); }),
              HasSubstr("which GLUE task?"));
  SampleLayout layout;
  layout.vocabulary = 10;
  layout.classes = 2;
  SampleShardWriter writer(folder_ / "out.lcs", layout);
  SampleFacts facts;
  facts.task = "other";
  writer.finish(to_json(facts));
  config_.path.set((folder_ / "out.lcs").string());
  EXPECT_THAT(message_of<DataError>([&] { open("train"); }), HasSubstr("not a GLUE shard"));
}

}  // namespace
}  // namespace longconv::data
