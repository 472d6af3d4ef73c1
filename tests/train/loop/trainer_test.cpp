// What a run leaves behind, and that it learns.
#include "core/files/atomic_file.h"
#include "data/tokenizers/tokenizer.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"
#include "train/checkpoint/state.h"
#include "train/report/metrics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

double value_of(const MetricRecord& record, const std::string& name) {
  for (const auto& [key, value] : record.values) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no " << name << " at step " << record.step;
  return std::nan("");
}

std::vector<MetricRecord> records_of(const fs::path& run, const std::string& split) {
  std::vector<MetricRecord> out;
  for (const MetricRecord& record : read_metrics(run / "metrics.jsonl")) {
    if (record.split == split) out.push_back(record);
  }
  return out;
}

TEST(Train, LeavesTheRunFolderOfTheSpecification) {
  const TinyRuns runs;
  const Outcome outcome = runs.train("a", {"train.keep_last=1", "train.keep_best=false"});
  EXPECT_EQ(outcome.folder, runs.run("a"));
  for (const char* name : {"config.toml", "overrides.txt", "environment.json", "log.txt",
                           "metrics.jsonl", "report.html", "tokenizer", "checkpoints/latest"}) {
    EXPECT_TRUE(fs::exists(runs.run("a") / name)) << name;
  }
  int event_files = 0;
  for (const auto& entry : fs::directory_iterator(runs.run("a"))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
    event_files += name.rfind("events.out.tfevents.", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(event_files, 1);
  EXPECT_THAT(list_steps(runs.checkpoints("a")), ElementsAre(20));
  EXPECT_EQ(files::read_text(runs.run("a") / "overrides.txt"),
            "train.keep_last=1\ntrain.keep_best=false\n");
  EXPECT_THAT(files::read_text(runs.run("a") / "environment.json"),
              AllOf(HasSubstr("\"libtorch\""), HasSubstr("seq_len = 16"), HasSubstr("\"host\"")));
  EXPECT_EQ(data::open_tokenizer((runs.run("a") / "tokenizer").string())->vocab_size(),
            data::open_tokenizer("bytes")->vocab_size());
}

TEST(Train, WritesItsMetricsOnTime) {
  const TinyRuns runs;
  const Outcome outcome = runs.train("a");
  std::vector<std::int64_t> steps;
  for (const MetricRecord& record : records_of(runs.run("a"), "train")) {
    steps.push_back(record.step);
    EXPECT_GT(value_of(record, "tokens_per_s"), 0.0);
    EXPECT_GT(value_of(record, "grad_norm"), 0.0);
  }
  EXPECT_THAT(steps, ElementsAre(3, 6, 9, 12, 15, 18, 20));
  const auto validation = records_of(runs.run("a"), "validation");
  ASSERT_EQ(validation.size(), 4U);
  double best = value_of(validation[0], "loss");
  for (const MetricRecord& record : validation) {
    const double loss = value_of(record, "loss");
    best = std::min(best, loss);
    EXPECT_NEAR(value_of(record, "perplexity"), std::exp(loss), 1e-9 * std::exp(loss));
    // 300 bytes of text and perhaps an end of document: nearly one token a byte.
    EXPECT_NEAR(value_of(record, "bits_per_byte"), loss / std::log(2.0), 0.01 * loss);
  }
  EXPECT_EQ(outcome.validation_loss, value_of(validation.back(), "loss"));
  EXPECT_EQ(outcome.best_validation_loss, best);
}

TEST(Train, StepsFollowTheSchedule) {
  const TinyRuns runs;
  runs.train("a", {"train.log_every=1", "schedule.name=linear", "schedule.max_steps=4"});
  std::vector<double> rates;
  for (const MetricRecord& r : records_of(runs.run("a"), "train"))
    rates.push_back(value_of(r, "lr"));
  EXPECT_THAT(rates, ElementsAre(0.0, 2.5e-3, 5e-3, 2.5e-3));
}

TEST(Train, OverfitsOneBatch) {
  const TinyRuns runs;
  make_corpus(runs.path() / "one", 8 * 16, 3);
  runs.train("a", {"data.path=" + (runs.path() / "one").string(), "schedule.max_steps=150",
                   "model.embed_dropout=0.0", "model.resid_dropout=0.0", "train.eval_every=0",
                   "optim.lr=0.01", "optim.weight_decay=0.0", "model.d_model=32"});
  const auto records = records_of(runs.run("a"), "train");
  EXPECT_GT(value_of(records.front(), "loss"), 2.0);
  EXPECT_LT(value_of(records.back(), "loss"), 0.05);
}

TEST(Train, ReachesTheSameWeightsHoweverTheBatchIsCut) {
  const TinyRuns runs;
  // float64 and no dropout: what remains is the order of summation.
  const std::vector<std::string> common = {"train.precision=float64", "model.embed_dropout=0.0",
                                           "model.resid_dropout=0.0", "optim.eps=1e-3"};
  auto cut = common;
  cut.push_back("data.micro_batch=2");
  auto accumulated = common;
  accumulated.push_back("train.accumulate=4");
  const double whole = runs.train("a", common).validation_loss;
  EXPECT_NEAR(runs.train("b", cut).validation_loss, whole, 1e-9 * whole);
  EXPECT_THAT(differing_tensors(
                  runs.checkpoints("b") / "latest" / kModelFile,
                  (runs.train("c", accumulated), runs.checkpoints("c") / "latest" / kModelFile)),
              ::testing::IsEmpty())
      << "two words for one cut";
  auto other = common;
  other.push_back("data.batch_size=4");
  EXPECT_GT(std::abs(runs.train("d", other).validation_loss - whole), 1e-6 * whole);
}

TEST(Train, WeighsPassesByTheirTargetsWhereRowsDiffer) {
  const TinyRuns runs;
  make_corpus(runs.path() / "lines", 4000, 1, /*lines=*/true);
  for (const char* rows : {"documents", "packed"}) {
    const std::vector<std::string> common = {
        "train.precision=float64",        "model.embed_dropout=0.0",
        "model.resid_dropout=0.0",        "optim.eps=1e-3",
        std::string("data.rows=") + rows, "data.path=" + (runs.path() / "lines").string()};
    auto cut = common;
    cut.push_back("data.micro_batch=2");
    const std::string name = rows;
    const double whole = runs.train(name, common).validation_loss;
    EXPECT_NEAR(runs.train(name + "-cut", cut).validation_loss, whole, 1e-9 * whole) << rows;
  }
  // Rows sorted by length come in another order, so the runs differ; and both learn.
  const std::vector<std::string> sorted = {"data.rows=documents", "data.bucket_steps=4",
                                           "data.path=" + (runs.path() / "lines").string()};
  runs.train("sorted", sorted);
  const auto records = records_of(runs.run("sorted"), "train");
  EXPECT_LT(value_of(records.back(), "loss"), value_of(records.front(), "loss"));
  EXPECT_GE(value_of(records.back(), "data_wait_s"), 0.0);
}

TEST(Train, WarmsUpOverShorterWindows) {
  const TinyRuns runs;
  const std::string text = files::read_text(runs.config());
  files::write_atomic(runs.config(), text +
                                         "[[data.stage]]\nseq_len = 4\nsteps = 3\n"
                                         "[[data.stage]]\nseq_len = 8\nbatch_size = 40\n"
                                         "micro_batch = 10\nepochs = 1\n");
  const Outcome whole = runs.train("whole", {"train.precision=float64"});
  EXPECT_EQ(whole.step, 20);
  const std::string log = files::read_text(runs.run("whole") / "log.txt");
  // As many tokens a step as 8 x 16; 4000 tokens and an end are 500 windows of 8: 13 steps of 40.
  EXPECT_THAT(log, HasSubstr("stage 1: 3 steps of 32 rows x 4 tokens (1 passes each)"));
  EXPECT_THAT(log, HasSubstr("stage 2: 13 steps of 40 rows x 8 tokens (4 passes each)"));

  // Its position leads back into a stage and across its end.
  runs.train("halves",
             {"train.precision=float64", "train.checkpoint_every=2", "train.keep_last=99"});
  for (const std::int64_t step : list_steps(runs.checkpoints("halves"))) {
    if (step > 2) fs::remove_all(runs.checkpoints("halves") / step_name(step));
  }
  runs.train("halves", {"train.precision=float64", "train.checkpoint_every=2"});
  EXPECT_THAT(differing_tensors(runs.checkpoints("whole") / "latest" / kModelFile,
                                runs.checkpoints("halves") / "latest" / kModelFile),
              ::testing::IsEmpty());

  files::write_atomic(runs.config(), text);
  runs.train("without", {"train.precision=float64"});
  EXPECT_THAT(differing_tensors(runs.checkpoints("whole") / "latest" / kModelFile,
                                runs.checkpoints("without") / "latest" / kModelFile),
              ::testing::Not(::testing::IsEmpty()));
}

TEST(Train, StagesThatDoNotFitNameTheirKey) {
  const TinyRuns runs;
  const std::string text = files::read_text(runs.config());
  const auto error = [&](const std::string& stage, const std::vector<std::string>& overrides = {}) {
    files::write_atomic(runs.config(), text + (stage.empty() ? "" : "[[data.stage]]\n" + stage));
    try {
      runs.train("bad", overrides);
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(error("seq_len = 17\nsteps = 1\n"),
              HasSubstr("data.stage[0].seq_len: expected at most data.seq_len = 16, got 17"));
  EXPECT_THAT(error("seq_len = 8\n"), HasSubstr("expected either epochs or steps"));
  EXPECT_THAT(error("seq_len = 8\nsteps = 1\nepochs = 1\n"),
              HasSubstr("got epochs = 1 and steps = 1"));
  EXPECT_THAT(error("seq_len = 5\nsteps = 1\n"), HasSubstr("data.stage[0].batch_size: is 0"));
  EXPECT_THAT(error("seq_len = 8\nbatch_size = 9\nmicro_batch = 2\nsteps = 1\n"),
              HasSubstr("expected a divisor of the stage's batch of 9, got 2"));
  EXPECT_THAT(error("seq_len = 8\nbatch_size = 9\nsteps = 1\n", {"train.accumulate=2"}),
              HasSubstr("does not divide by them"));
  EXPECT_THAT(error("", {"data.bucket_steps=2"}), HasSubstr("data.bucket_steps: expected 0"));
}

TEST(Train, KeepsTheBestCheckpoint) {
  const TinyRuns runs;
  // A learning rate that ruins the model after a good start.
  runs.train("a", {"schedule.name=constant", "schedule.max_steps=60", "optim.lr=0.02",
                   "train.keep_last=1", "train.checkpoint_every=0", "train.eval_every=2"});
  const auto validation = records_of(runs.run("a"), "validation");
  const auto best = std::min_element(
      validation.begin(), validation.end(),
      [](const auto& x, const auto& y) { return value_of(x, "loss") < value_of(y, "loss"); });
  EXPECT_EQ(fs::read_symlink(runs.checkpoints("a") / "best"), step_name(best->step));
  const fs::path found = find_checkpoint(runs.run("a"));
  EXPECT_EQ(found.filename(), step_name(best->step));
  const TrainState state =
      from_json(files::read_text(found / kStateFile), (found / kStateFile).string());
  EXPECT_EQ(state.best_loss, value_of(*best, "loss"));
  EXPECT_LE(list_steps(runs.checkpoints("a")).size(), 2U) << "the last and the best";
}

TEST(Train, WithoutAValidationBatchLimitSeesTheWholeSplit) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  runs.train("b", {"schedule.max_steps=2", "train.eval_batches=1"});
  const double all = value_of(records_of(runs.run("a"), "validation").back(), "tokens");
  EXPECT_GE(all, 299.0);
  EXPECT_EQ(value_of(records_of(runs.run("b"), "validation").back(), "tokens"), 8.0 * 16.0);
}

TEST(Train, DryRunWritesNothing) {
  const TinyRuns runs;
  RunConfig config;
  config::load(config, runs.config().string());
  config.run.dir.set(runs.run("dry").string());
  Launch launch;
  launch.config_path = runs.config().string();
  launch.dry_run = true;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(longconv::train::train(config, launch).code, ExitCode::ok);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("parameters"), HasSubstr("bytes at the peak")));
  EXPECT_FALSE(fs::exists(runs.run("dry")));
}

TEST(Resolve, FillsWhatTheDataSayAndPrintsAFileThatGivesTheSameRun) {
  const TinyRuns runs;
  RunConfig config;
  config::load(config, runs.config().string());
  resolve(config, runs.config().string());
  EXPECT_EQ(config.run.name(), "tiny");
  EXPECT_EQ(config.run.dir(), "runs/tiny");
  EXPECT_EQ(config.model.l_max(), 16);
  EXPECT_EQ(config.model.vocab_size(), data::open_tokenizer("bytes")->vocab_size());
  EXPECT_GT(config.optim.group.size(), 0U) << "the filters have no weight decay";
  const std::string once = config::print(config);
  RunConfig again;
  config::parse(again, once, "resolved.toml");
  resolve(again, "elsewhere/other.toml");
  EXPECT_EQ(config::print(again), once);

  runs.train("a");
  files::write_atomic(runs.path() / "resolved.toml",
                      files::read_text(runs.run("a") / "config.toml"));
  RunConfig copy;
  config::load(copy, (runs.path() / "resolved.toml").string());
  copy.run.dir.set(runs.run("b").string());
  longconv::train::train(copy, {});
  EXPECT_THAT(differing_tensors(runs.checkpoints("a") / "latest" / kModelFile,
                                runs.checkpoints("b") / "latest" / kModelFile),
              ::testing::IsEmpty());
}

}  // namespace
}  // namespace longconv::train::testing
