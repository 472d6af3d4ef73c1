// A resumed run is the undisturbed one, bit for bit.
#include "core/files/atomic_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"
#include "train/report/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Metric lines without what depends on the clock.
std::vector<std::string> lines_of(const fs::path& run) {
  std::vector<std::string> out;
  for (const MetricRecord& record : read_metrics(run / "metrics.jsonl")) {
    std::string line = fmt::format("{} {}", record.step, record.split);
    for (const auto& [name, value] : record.values) {
      if (name == "tokens_per_s" || name == "data_wait_s" || name == "elapsed_s" ||
          name == "memory_bytes") {
        continue;
      }
      line += fmt::format(" {}={}", name, value);
    }
    out.push_back(line);
  }
  return out;
}

void expect_same_end(const TinyRuns& runs, const std::string& a, const std::string& b) {
  for (const char* file : {kModelFile, kOptimizerFile}) {
    EXPECT_THAT(differing_tensors(runs.checkpoints(a) / "latest" / file,
                                  runs.checkpoints(b) / "latest" / file),
                IsEmpty())
        << file << " of " << a << " and " << b;
  }
  EXPECT_EQ(lines_of(runs.run(a)), lines_of(runs.run(b)));
}

/// Trains `steps` of the whole run, as if it had been stopped there, then the rest.
void train_in_two(const TinyRuns& runs, const std::string& name,
                  std::vector<std::string> overrides) {
  overrides.push_back("train.checkpoint_every=10");
  runs.train(name, overrides);
  // Back to step 10: the later checkpoints never were.
  const fs::path checkpoints = runs.checkpoints(name);
  for (const std::int64_t step : list_steps(checkpoints)) {
    if (step > 10) fs::remove_all(checkpoints / step_name(step));
  }
  ASSERT_EQ(newest_whole(checkpoints).filename(), step_name(10));
  fs::remove(runs.run(name) / "report.html");
  EXPECT_EQ(runs.train(name, overrides).step, 20);
}

class Resume : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Resume, TenAndTenStepsAreTwentyBitForBit) {
  const TinyRuns runs;
  std::vector<std::string> overrides = GetParam();
  overrides.push_back("train.keep_last=9");
  runs.train("whole", overrides);
  train_in_two(runs, "halves", overrides);
  expect_same_end(runs, "whole", "halves");

  // The comparison can fail: another seed ends elsewhere.
  overrides.push_back("seed=8");
  runs.train("other", overrides);
  EXPECT_THAT(differing_tensors(runs.checkpoints("whole") / "latest" / kModelFile,
                                runs.checkpoints("other") / "latest" / kModelFile),
              Not(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(
    EveryKindOfState, Resume,
    ::testing::Values(std::vector<std::string>{"schedule.name=cosine"},
                      std::vector<std::string>{"train.accumulate=2", "data.workers=0",
                                               "optim.name=decoupled_adamw"},
                      std::vector<std::string>{"schedule.name=plateau", "schedule.patience=0",
                                               "optim.lr=0.05", "train.eval_every=2",
                                               "train.log_every=7"},
                      std::vector<std::string>{"train.precision=float64"},
                      std::vector<std::string>{"train.precision=bf16"}));

TEST(Resume, AFinishedRunSaysSoAndChangesNothing) {
  const TinyRuns runs;
  const Outcome first = runs.train("a");
  EXPECT_EQ(first.code, ExitCode::ok);
  EXPECT_EQ(first.step, 20);
  const auto before = files::read_text(runs.run("a") / "metrics.jsonl");
  ::testing::internal::CaptureStderr();
  const Outcome again = runs.train("a");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("finished"));
  EXPECT_EQ(again.code, ExitCode::ok);
  EXPECT_EQ(again.step, 20);
  EXPECT_EQ(again.validation_loss, first.validation_loss);
  EXPECT_EQ(again.best_validation_loss, first.best_validation_loss);
  EXPECT_EQ(files::read_text(runs.run("a") / "metrics.jsonl"), before);
}

TEST(Resume, ALongerRunGoesOn) {
  const TinyRuns runs;
  runs.train("a", {"schedule.name=constant"});
  EXPECT_EQ(runs.train("a", {"schedule.name=constant", "schedule.max_steps=24"}).step, 24);
  runs.train("b", {"schedule.name=constant", "schedule.max_steps=24"});
  EXPECT_THAT(differing_tensors(runs.checkpoints("a") / "latest" / kModelFile,
                                runs.checkpoints("b") / "latest" / kModelFile),
              IsEmpty());
}

TEST(Resume, NeverRefusesAFolderWithCheckpoints) {
  const TinyRuns runs;
  EXPECT_EQ(runs.train("a", {"train.resume=never", "schedule.max_steps=2"}).step, 2);
  EXPECT_THAT(message_of<ConfigError>([&] { runs.train("a", {"train.resume=never"}); }),
              AllOf(HasSubstr("train.resume"), HasSubstr("run.dir")));
}

TEST(Resume, TakesUpAnotherRunsCheckpointByPath) {
  const TinyRuns runs;
  runs.train("a", {"train.keep_last=9"});
  const std::string from = (runs.checkpoints("a") / step_name(10)).string();
  EXPECT_EQ(runs.train("b", {"train.resume=" + from}).step, 20);
  EXPECT_THAT(differing_tensors(runs.checkpoints("a") / "latest" / kModelFile,
                                runs.checkpoints("b") / "latest" / kModelFile),
              IsEmpty());
  // Started again with the same words it goes on from its own checkpoints: finished.
  EXPECT_EQ(runs.train("b", {"train.resume=" + from}).step, 20);
  // Within the run itself the later checkpoints are in the way.
  EXPECT_THAT(message_of<ConfigError>([&] { runs.train("a", {"train.resume=" + from}); }),
              AllOf(HasSubstr("step_0000020"), HasSubstr("run.dir")));
}

TEST(Resume, OfADamagedCheckpointByPathSaysWhatIsWrong) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  const fs::path folder = runs.checkpoints("a") / step_name(2);
  fs::remove(folder / kStateFile);
  EXPECT_THAT(
      message_of<CheckpointError>([&] { runs.train("b", {"train.resume=" + folder.string()}); }),
      AllOf(HasSubstr(folder.string()), HasSubstr("state.json is missing")));
}

TEST(Resume, FallsBackToTheEarlierCheckpointWhenTheLatestIsDamaged) {
  const TinyRuns runs;
  runs.train("whole", {"train.keep_last=9"});
  runs.train("hurt", {"train.keep_last=9"});
  const fs::path victim = runs.checkpoints("hurt") / step_name(20);
  std::string weights = files::read_text(victim / kModelFile);
  weights[weights.size() / 2] = static_cast<char>(weights[weights.size() / 2] ^ 1);
  files::write_atomic(victim / kModelFile, weights);
  EXPECT_EQ(runs.train("hurt", {"train.keep_last=9"}).step, 20);
  expect_same_end(runs, "whole", "hurt");
  EXPECT_TRUE(fs::exists(runs.checkpoints("hurt") / "step_0000020.old-1")) << "never deleted";
}

TEST(Resume, OfAnotherModelOrCorpusNamesWhatDiffers) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  EXPECT_THAT(message_of<CheckpointError>([&] {
                runs.train("a", {"model.d_model=24", "optim.weight_decay=0.5"});
              }),
              AllOf(HasSubstr("step_0000002"), HasSubstr("model.d_model is 16 there and 24 here"),
                    HasSubstr("optim.weight_decay")));
  make_corpus(runs.path() / "other", 3000, 5);
  EXPECT_THAT(message_of<CheckpointError>(
                  [&] { runs.train("a", {"data.path=" + (runs.path() / "other").string()}); }),
              HasSubstr("corpus"));
  EXPECT_EQ(find_damage(runs.checkpoints("a") / step_name(2)), "") << "nothing was touched";
}

}  // namespace
}  // namespace longconv::train::testing
