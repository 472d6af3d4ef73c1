// From GLUE's files to fine-tuned models, their scores and the files of a submission.
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "tests/apps/program.h"
#include "tests/train/loop/glue_shards.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace longconv::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"([data]
task = "glue"
batch_size = 8
[model]
family = "m2_bert"
d_model = 8
n_layers = 1
l_max = 128
norm_eps = 1e-12
[model.filter]
emb_dim = 5
width = 4
bidirectional = true
[model.mlp]
blocks = 2
[model.head]
pool = "first"
[optim]
lr = 1e-3
[schedule]
name = "composer_linear"
max_steps = 2
[train]
keep_best = false
[run]
device = "cpu"
)";

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> out;
  std::istringstream text(read(path));
  for (std::string line; std::getline(text, line);) out.push_back(line);
  return out;
}

/// GLUE's files of a task, prepared by the program.
std::string prepared(const fs::path& folder, const std::string& task) {
  std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 0; i < 40; ++i) words += fmt::format("w{}\n", i);
  fs::create_directories(folder);
  write(folder / "vocab.txt", words);
  train::testing::write_glue_files(data::glue_task(task), folder / "glue_data", 24);
  const std::string shard = (folder / (task + ".lcs")).string();
  const Ended done = run({"data", "prepare", "glue", (folder / "glue_data").string(), "--out",
                          shard, "task=" + task, "tokenizer=" + (folder / "vocab.txt").string()});
  EXPECT_EQ(done.code, 0) << done.err;
  return shard;
}

TEST(Finetune, FromFilesToScoresAndSubmissions) {
  const fs::path folder = World::get().folder() / "finetune";
  const std::string mnli = prepared(folder, "mnli");
  const std::string config = (folder / "glue.toml").string();
  const std::string base = (folder / "base").string();
  write(config, kConfig);
  const Ended trained = run({"train", config, "data.path=" + mnli, "run.dir=" + base});
  ASSERT_EQ(trained.code, 0) << trained.err;

  const std::string tuned = (folder / "tuned").string();
  const std::vector<std::string> command = {"finetune",          config,
                                            "data.path=" + mnli, "init.from=" + base,
                                            "run.dir=" + tuned,  "finetune.seeds=[3, 4]",
                                            "--submission",      "--json"};
  const Ended ended = run(command);
  ASSERT_EQ(ended.code, 0) << ended.err;
  const json result = json::parse(ended.out);
  ASSERT_EQ(result.at("runs").size(), 2U);
  EXPECT_EQ(result.at("runs")[1].at("seed"), 4);
  EXPECT_EQ(result.at("runs")[1].at("step"), 2);
  double mean = 0.0;
  for (const json& one : result.at("runs")) {
    mean += 0.5 * one.at("values").at("accuracy_mismatched").get<double>();
    const fs::path own = one.at("folder").get<std::string>();
    const json kept = json::parse(read(own / "results" / "glue.json"));
    EXPECT_EQ(kept.at("parts").size(), 2U);
    EXPECT_EQ(kept.at("parts")[0].at("scores").at("accuracy"), one.at("values").at("accuracy"));
    for (const char* file : {"MNLI-m.tsv", "MNLI-mm.tsv"}) {
      const std::vector<std::string> lines = lines_of(own / "submission" / file);
      ASSERT_EQ(lines.size(), 13U) << file;
      EXPECT_EQ(lines[0], "index\tprediction");
      EXPECT_THAT(lines[1], ::testing::MatchesRegex("100\t(entailment|neutral|contradiction)"));
      EXPECT_THAT(lines[12], ::testing::StartsWith("111\t"));
    }
    EXPECT_EQ(run({"report", own.string()}).code, 0);
    EXPECT_THAT(read(own / "report.html"), HasSubstr("GLUE, mnli"));
  }
  EXPECT_NEAR(result.at("mean").at("accuracy_mismatched").get<double>(), mean, 1e-12);
  EXPECT_EQ(json::parse(read(fs::path(tuned) / "finetune.json")), result);
  const Ended again = run(command);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out), result);
  EXPECT_THAT(again.err, HasSubstr("this run is finished"));

  // The diagnostic set is predicted by MNLI's model.
  const std::string ax = prepared(folder / "ax", "ax");
  const Ended diagnosed = run({"eval", tuned + "/seed_3", "glue", "data.path=" + ax, "--submission",
                               (folder / "ax" / "out").string(), "--json"});
  ASSERT_EQ(diagnosed.code, 0) << diagnosed.err;
  EXPECT_EQ(json::parse(diagnosed.out).at("glue_task"), "ax");
  EXPECT_EQ(lines_of(folder / "ax" / "out" / "AX.tsv").size(), 13U);
}

TEST(Finetune, ScoresAreWrittenWithThreeDecimals) {
  const fs::path folder = World::get().folder() / "finetune_stsb";
  const std::string shard = prepared(folder, "stsb");
  const std::string config = (folder / "glue.toml").string();
  const std::string model = (folder / "run").string();
  write(config, kConfig);
  ASSERT_EQ(run({"train", config, "data.path=" + shard, "run.dir=" + model}).code, 0);
  const Ended told = run({"eval", model, "glue", "--submission", (folder / "out").string()});
  ASSERT_EQ(told.code, 0) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("pearson"), HasSubstr("spearman"), HasSubstr("STS-B.tsv")));
  const std::vector<std::string> lines = lines_of(folder / "out" / "STS-B.tsv");
  ASSERT_EQ(lines.size(), 13U);
  EXPECT_THAT(lines[1], ::testing::MatchesRegex("100\t[0-5]\\.[0-9][0-9][0-9]"));
}

// A regressor of whole rows gives a number a row, a pooler its own embedding.
TEST(Finetune, PredictReadsThePooler) {
  const fs::path folder = World::get().folder() / "finetune_predict";
  const std::string shard = prepared(folder, "stsb");
  const std::string config = (folder / "glue.toml").string();
  const std::string model = (folder / "run").string();
  write(config, kConfig);
  ASSERT_EQ(run({"train", config, "data.path=" + shard, "run.dir=" + model}).code, 0);
  write(folder / "in.jsonl", "{\"text\": \"w1 w2\"}\n{\"text\": \"w3 w4 w5\"}\n");
  const auto predicted = [&](const char* what) {
    const std::string out = (folder / (std::string(what) + ".npy")).string();
    const Ended ended =
        run({"predict", model, "--input", (folder / "in.jsonl").string(), "--output", out, "--what",
             what, "--device", "cpu", "data.tokenizer=" + (folder / "vocab.txt").string()});
    EXPECT_EQ(ended.code, 0) << ended.err;
    const files::MappedFile file(out);
    return files::parse_npy(file.bytes(), out).shape;
  };
  EXPECT_EQ(predicted("logits"), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(predicted("embedding"), (std::vector<std::int64_t>{2, 8}));
}

TEST(Finetune, WhatIsMissingIsSaid) {
  const fs::path folder = World::get().folder() / "finetune_errors";
  const std::string shard = prepared(folder, "rte");
  const std::string config = (folder / "glue.toml").string();
  write(config, kConfig);
  const Ended from_nothing = run({"finetune", config, "data.path=" + shard});
  EXPECT_EQ(from_nothing.code, 3);
  EXPECT_THAT(from_nothing.err, HasSubstr("init.from"));
  const Ended no_glue = run({"eval", World::get().run().string(), "glue"});
  EXPECT_EQ(no_glue.code, 2);
  EXPECT_THAT(no_glue.err, HasSubstr("fine-tuned on a GLUE task"));
  const Ended no_test =
      run({"finetune", (World::get().run() / "config.toml").string(), "--submission"});
  EXPECT_EQ(no_test.code, 2);
  EXPECT_THAT(no_test.err, HasSubstr("--submission is for GLUE"));
}

}  // namespace
}  // namespace longconv::test
