// Bad input and a hostile surrounding: one paragraph, the exit code of its kind, nothing lost.
#include "core/files/atomic_file.h"
#include "core/files/lock_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"
#include "train/report/metrics.h"

#include <gmock/gmock.h>

#include <fstream>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(TrainErrors, ARunFolderInUseByALiveProcess) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  const std::string before = files::read_text(runs.run("a") / "metrics.jsonl");
  const files::LockFile holder(runs.run("a") / "lock");
  try {
    runs.train("a");
    FAIL() << "trained in a locked folder";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::environment);
    EXPECT_THAT(error.what(), HasSubstr(runs.run("a").string()));
  }
  EXPECT_EQ(files::read_text(runs.run("a") / "metrics.jsonl"), before);
}

TEST(TrainErrors, AFolderThatCannotBeMade) {
  const TinyRuns runs;
  std::ofstream(runs.path() / "file") << "in the way";
  EXPECT_THAT(message_of<EnvironmentError>([&] { runs.train("file/run"); }),
              HasSubstr((runs.path() / "file").string()));
}

TEST(TrainErrors, ANonFiniteLossSavesNothingOverGoodState) {
  const TinyRuns runs;
  const std::vector<std::string> overrides = {
      "train.checkpoint_every=1", "train.eval_every=0",    "optim.clip_norm=0",
      "schedule.name=linear",     "schedule.max_steps=40", "schedule.warmup_steps=30"};
  auto good = overrides;
  runs.train("good", good);
  auto bad = overrides;
  bad.push_back("optim.lr=1e38");
  std::string message;
  try {
    runs.train("bad", bad);
    FAIL() << "trained with a learning rate of 1e38";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::non_finite);
    message = error.what();
  }
  EXPECT_THAT(message, AllOf(HasSubstr("step "), HasSubstr("optim.lr")));
  const std::int64_t step = std::stoll(message.substr(message.find("step ") + 5));
  const auto saved = list_steps(runs.checkpoints("bad"));
  ASSERT_FALSE(saved.empty());
  EXPECT_EQ(saved.back(), step - 1) << message;
  EXPECT_EQ(find_damage(runs.checkpoints("bad") / step_name(saved.back())), "");
  for (const MetricRecord& record : read_metrics(runs.run("bad") / "metrics.jsonl")) {
    EXPECT_LT(record.step, step);
  }
}

struct BadConfig {
  const char* name;
  std::vector<std::string> overrides;
  const char* words;
};

void PrintTo(const BadConfig& c, std::ostream* out) { *out << c.name; }

class BadConfigs : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, NameTheKeyAndLeaveNoRunFolderBehind) {
  const TinyRuns runs;
  EXPECT_THAT(message_of<ConfigError>([&] { runs.train("a", GetParam().overrides); }),
              HasSubstr(GetParam().words));
  EXPECT_FALSE(fs::exists(runs.checkpoints("a")));
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, BadConfigs,
    ::testing::Values(
        BadConfig{"no_data", {"data.path="}, "data.path"},
        BadConfig{"short_l_max", {"model.l_max=8"}, "model.l_max: expected at least data.seq_len"},
        BadConfig{"small_vocab", {"model.vocab_size=100"}, "model.vocab_size: expected at least"},
        BadConfig{
            "uneven_accumulate", {"train.accumulate=3"}, "train.accumulate: expected a divisor"},
        BadConfig{"uneven_micro", {"data.micro_batch=3"}, "data.micro_batch: expected a divisor"},
        BadConfig{"two_cuts", {"data.micro_batch=2", "train.accumulate=2"}, "leave one"},
        BadConfig{"long_warmup", {"schedule.warmup_steps=21"}, "schedule.warmup_steps"},
        BadConfig{"betas", {"optim.betas=[0.9]"}, "optim.betas"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TrainErrors, AMissingCorpusIsADataErrorWithItsPath) {
  const TinyRuns runs;
  EXPECT_THAT(message_of<DataError>(
                  [&] { runs.train("a", {"data.path=" + (runs.path() / "nowhere").string()}); }),
              HasSubstr((runs.path() / "nowhere").string()));
}

TEST(TrainErrors, MetricsOfAnotherProgramNameFileAndLine) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  std::ofstream(runs.run("a") / "metrics.jsonl", std::ios::app) << "not ours\n";
  EXPECT_THAT(message_of<DataError>([&] { runs.train("a", {"schedule.max_steps=4"}); }),
              HasSubstr("metrics.jsonl:"));
}

}  // namespace
}  // namespace longconv::train::testing
