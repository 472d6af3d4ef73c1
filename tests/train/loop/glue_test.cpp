// Fine-tuning on GLUE: the nine tasks with their metrics, runs from a masked language model's
// weights, one a seed, and the published recipes.
#include "tests/train/loop/glue_shards.h"
#include "tests/train/loop/masked_run.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"
#include "train/loop/finetune.h"
#include "train/report/metrics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::map<std::string, double> values(const std::vector<std::pair<std::string, double>>& list) {
  return {list.begin(), list.end()};
}

class Glue : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> overrides(const std::string& task,
                                                   const std::vector<std::string>& more) const {
    const fs::path shard = glue_shard(task, masked_.folder("glue"), masked_.folder("vocab.txt"));
    std::vector<std::string> out = {"data.task=glue", "data.path=" + shard.string(),
                                    "model.head.pool=first", "train.keep_best=false"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Outcome train_run(const std::string& name, const std::vector<std::string>& more) const {
    const auto config = masked_.config(name, more);
    return train(*config, launch(more));
  }
  [[nodiscard]] Launch launch(const std::vector<std::string>& more) const {
    Launch out;
    out.config_path = masked_.file().string();
    out.overrides = more;
    return out;
  }
  std::vector<SeedRun> fine_tune(const std::string& name, std::vector<std::string> more) const {
    more.push_back("run.dir=" + masked_.folder(name).string());
    RunConfig config;
    config::load(config, masked_.file().string());
    for (const std::string& text : more) config::apply_override(config, text);
    return finetune(config, launch(more));
  }
  [[nodiscard]] fs::path weights(const std::string& run) const {
    return masked_.folder(run) / "checkpoints" / "latest" / kModelFile;
  }
  MaskedRun masked_;
};

TEST_F(Glue, EveryTaskTrainsAndReportsItsOwnMetrics) {
  const std::map<std::string, std::vector<std::string>> metrics = {
      {"cola", {"matthews"}},       {"sst2", {"accuracy"}},
      {"mrpc", {"accuracy", "f1"}}, {"stsb", {"pearson", "spearman"}},
      {"qqp", {"accuracy", "f1"}},  {"mnli", {"accuracy"}},
      {"qnli", {"accuracy"}},       {"rte", {"accuracy"}},
      {"wnli", {"accuracy"}}};
  for (const auto& [task, names] : metrics) {
    SCOPED_TRACE(task);
    const bool learns = task == "sst2" || task == "stsb" || task == "mnli";
    train_run(task, overrides(task, {learns ? "schedule.max_steps=150" : "schedule.max_steps=2",
                                     "train.eval_every=0", "train.checkpoint_every=0"}));
    std::map<std::string, double> last;
    for (const MetricRecord& record : read_metrics(masked_.folder(task) / "metrics.jsonl")) {
      if (record.split == "validation") last = values(record.values);
    }
    EXPECT_EQ(last.at("samples"), 12.0);
    EXPECT_TRUE(std::isfinite(last.at("loss")));
    for (const std::string& name : names) {
      ASSERT_EQ(last.count(name), 1U) << name;
      EXPECT_LE(std::abs(last.at(name)), 1.0);
      if (learns) {
        EXPECT_GT(last.at(name), 0.85) << name;
      }
    }
    EXPECT_EQ(last.count("accuracy"), task == "stsb" ? 0U : 1U);
  }
}

TEST_F(Glue, ARunForEachSeedFromTheSameWeights) {
  train_run("mlm", {"schedule.max_steps=2"});
  const std::vector<std::string> more =
      overrides("rte", {"init.from=" + masked_.folder("mlm").string(), "finetune.seeds=[1, 2]",
                        "schedule.max_steps=3"});
  const std::vector<SeedRun> runs = fine_tune("rte", more);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].seed, 1);
  EXPECT_EQ(runs[1].seed, 2);
  EXPECT_EQ(runs[1].outcome.folder, masked_.folder("rte") / "seed_2");
  EXPECT_EQ(runs[1].outcome.step, 3);
  const auto mean = values(mean_values(runs));
  for (const char* name : {"loss", "accuracy"}) {
    EXPECT_DOUBLE_EQ(mean.at(name),
                     (values(runs[0].values).at(name) + values(runs[1].values).at(name)) / 2.0);
  }
  EXPECT_THAT(files::read_text(masked_.folder("rte") / "seed_2" / "config.toml"),
              HasSubstr("seed = 2"));
  EXPECT_FALSE(differing_tensors(weights("rte/seed_1"), weights("rte/seed_2")).empty());
  // The same command finds the runs finished, with the same figures.
  const std::vector<SeedRun> again = fine_tune("rte", more);
  EXPECT_EQ(values(again[1].values), values(runs[1].values));
}

// As the tasks that start from MNLI's model: the pooler comes along, the classifier does not; a
// masked language model has no pooler to give.
TEST_F(Glue, ThePoolerComesFromAModelThatHasOne) {
  const std::vector<std::string> still = {"optim.lr=1e-30", "schedule.max_steps=1",
                                          "schedule.warmup_steps=0", "optim.weight_decay=0.0",
                                          "seed=9"};
  train_run("mlm", {"schedule.max_steps=2"});
  auto more = overrides("mnli", still);
  more.push_back("init.from=" + masked_.folder("mlm").string());
  train_run("mnli", more);
  EXPECT_THAT(differing_tensors(weights("mlm"), weights("mnli")),
              Each(::testing::AnyOf(StartsWith("bert.pooler."), StartsWith("classifier."),
                                    StartsWith("cls."))));
  more = overrides("rte", still);
  more.push_back("init.from=" + masked_.folder("mnli").string());
  more.push_back("seed=10");
  train_run("rte", more);
  // A bias that is 0 moves by any step.
  EXPECT_THAT(differing_tensors(weights("mnli"), weights("rte")),
              Each(::testing::AnyOf(StartsWith("classifier."), "bert.pooler.dense.bias")));
  std::vector<std::string> back = still;
  back.push_back("init.from=" + masked_.folder("mnli").string());
  train_run("mlm2", back);
  EXPECT_THAT(differing_tensors(weights("mnli"), weights("mlm2")),
              Each(::testing::AnyOf(StartsWith("bert.pooler."), StartsWith("classifier."),
                                    StartsWith("cls."))));
}

TEST_F(Glue, WhatDoesNotFitIsAnErrorAtTheKey) {
  const auto tune = [&](std::vector<std::string> more) {
    return message_of<Error>([&] { fine_tune("x", overrides("rte", std::move(more))); });
  };
  EXPECT_THAT(tune({}), AllOf(HasSubstr("init.from"), HasSubstr("longconv train")));
  EXPECT_THAT(tune({"init.from=x", "finetune.seeds=[3, 3]"}),
              AllOf(HasSubstr("finetune.seeds"), HasSubstr("twice")));
  EXPECT_THAT(tune({"init.from=x", "finetune.seeds=[-1]"}), HasSubstr("finetune.seeds"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { train_run("x", overrides("rte", {"model.head.pool=sum"})); }),
      AllOf(HasSubstr("model.head.pool"), HasSubstr("\"first\" or \"mean\"")));
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { train_run("x", overrides("stsb", {"model.head.kind=classifier"})); }),
              AllOf(HasSubstr("model.head.kind"), HasSubstr("regressor")));
  EXPECT_THAT(message_of<Error>([&] {
                train_run("x", {"data.task=glue", "data.path="});
              }),
              AllOf(HasSubstr("data.path"), HasSubstr("prepare glue")));
}

// Samples in their own order: two epochs of a run see the same batches, so that two runs whose
// seeds differ see them too, and with dropout off end alike from the same weights.
TEST_F(Glue, SamplesKeepTheirOrderIfAsked) {
  train_run("mlm", {"schedule.max_steps=1", "schedule.warmup_steps=0"});
  const auto run = [&](const std::string& name, const char* seed, const char* shuffle) {
    train_run(name, overrides("sst2", {"init.from=" + masked_.folder("mlm").string(), seed,
                                       std::string("data.shuffle=") + shuffle,
                                       "model.head.dropout=0.0", "model.embed_dropout=0.0",
                                       "model.mlp.dropout=0.0", "schedule.max_steps=2",
                                       "init.freeze=[\"bert.encoder.*\", \"bert.embeddings.*\"]"}));
  };
  run("first", "seed=1", "false");
  const auto metrics = [&](const std::string& name) {
    std::vector<double> losses;
    for (const MetricRecord& record : read_metrics(masked_.folder(name) / "metrics.jsonl")) {
      if (record.split == "train") losses.push_back(record.values.front().second);
    }
    return losses;
  };
  run("same", "seed=1", "false");
  EXPECT_EQ(metrics("first"), metrics("same"));
  run("other", "seed=1", "true");
  EXPECT_NE(metrics("first"), metrics("other"));
}

struct Recipe {
  const char* task;
  std::int64_t samples;
  std::int64_t batch;
  std::int64_t epochs;
  double lr;
  double weight_decay;
  bool decoupled;
  const char* pool;
  std::size_t seeds;
};

// models.md 3.6, the column of 80M; WNLI is none of theirs.
TEST(GlueRecipes, AreThePublishedOnes) {
  const Recipe recipes[] = {
      {"mnli", 392'702, 48, 3, 5e-5, 5e-6, true, "first", 1},
      {"qqp", 363'846, 16, 10, 3e-5, 0.01, false, "first", 1},
      {"qnli", 104'743, 16, 10, 5e-5, 1e-6, true, "mean", 1},
      {"sst2", 67'349, 16, 3, 3e-5, 3e-6, true, "mean", 3},
      {"cola", 8'551, 32, 10, 5e-5, 5e-6, true, "mean", 4},
      {"rte", 2'490, 16, 6, 5e-5, 0.01, false, "first", 5},
      {"mrpc", 3'668, 32, 10, 5e-5, 0.01, false, "mean", 5},
      {"stsb", 5'749, 32, 10, 7e-5, 0.01, false, "mean", 5},
      {"wnli", 635, 16, 6, 5e-5, 0.01, false, "first", 1},
  };
  for (const Recipe& r : recipes) {
    SCOPED_TRACE(r.task);
    RunConfig run;
    config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/glue/" + r.task + ".toml");
    const std::int64_t labels =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(data::glue_task(r.task).labels.size()));
    EXPECT_EQ(run.model.head.n_classes(), labels);
    EXPECT_EQ(run.model.head.kind(), std::string(r.task) == "stsb" ? "regressor" : "classifier");
    EXPECT_EQ(run.model.head.pool(), r.pool);
    EXPECT_EQ(run.data.batch_size(), r.batch);
    const std::int64_t epoch = (r.samples + r.batch - 1) / r.batch;
    EXPECT_EQ(run.schedule.max_steps(), r.epochs * epoch);
    EXPECT_EQ(run.train.eval_every(), epoch);
    EXPECT_NEAR(static_cast<double>(run.schedule.warmup_steps()),
                0.06 * static_cast<double>(run.schedule.max_steps()), 0.6);
    EXPECT_EQ(run.schedule.min_lr(), 0.0);
    EXPECT_EQ(run.optim.lr(), r.lr);
    EXPECT_EQ(run.optim.weight_decay(), r.weight_decay);
    EXPECT_EQ(run.optim.name(), r.decoupled ? "decoupled_adamw" : "adamw");
    EXPECT_EQ(run.finetune.seeds().size(), r.seeds);
    EXPECT_FALSE(run.data.shuffle());
    EXPECT_FALSE(run.train.keep_best());
  }
}

}  // namespace
}  // namespace longconv::train::testing
