// M2-BERT trained on masked documents, from its TOML to its run folder.
#include "tests/train/loop/masked_run.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/report/metrics.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace longconv::train::testing {
namespace {

using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Outcome train_masked(const MaskedRun& run, const std::string& name,
                     const std::vector<std::string>& overrides = {}) {
  const auto config = run.config(name, overrides);
  Launch launch;
  launch.config_path = run.file().string();
  return longconv::train::train(*config, launch);
}

std::vector<double> validation(const MaskedRun& run, const std::string& name,
                               const std::string& value) {
  std::vector<double> out;
  for (const MetricRecord& record : read_metrics(run.folder(name) / "metrics.jsonl")) {
    if (record.split != "validation") continue;
    for (const auto& [key, number] : record.values) {
      if (key == value) out.push_back(number);
    }
  }
  return out;
}

TEST(TrainMasked, LearnsAndReportsTheAccuracyOfMaskedTokens) {
  const MaskedRun run;
  train_masked(run, "a", {"schedule.max_steps=600", "train.eval_every=300"});
  const std::vector<double> accuracy = validation(run, "a", "accuracy");
  const std::vector<double> loss = validation(run, "a", "loss");
  ASSERT_EQ(accuracy.size(), 2U);
  // A document is one word again and again: what is masked stands all around.
  EXPECT_GT(accuracy.back(), 0.5);
  EXPECT_LT(loss.back(), 0.7 * std::log(45.0)) << "no better than guessing";
  EXPECT_THAT(validation(run, "a", "perplexity"), IsEmpty());
}

TEST(TrainMasked, TenStepsAndTenMoreAreTwenty) {
  const MaskedRun run;
  train_masked(run, "whole", {"schedule.name=constant"});
  train_masked(run, "parts", {"schedule.name=constant", "schedule.max_steps=10"});
  train_masked(run, "parts", {"schedule.name=constant", "schedule.max_steps=20"});
  const auto weights = [&](const char* name) {
    return run.folder(name) / "checkpoints" / "latest" / "model.safetensors";
  };
  EXPECT_THAT(differing_tensors(weights("whole"), weights("parts")), IsEmpty());
}

TEST(TrainMasked, FamiliesAreTrainedOnWhatTheyCanSee) {
  const MaskedRun run;
  EXPECT_THAT(message_of<ConfigError>([&] { train_masked(run, "b", {"model.family=hyena"}); }),
              AllOf(HasSubstr("model.head.kind"), HasSubstr("family hyena has a head \"lm\"")));
  EXPECT_THAT(message_of<ConfigError>([&] { train_masked(run, "b", {"data.task=lm"}); }),
              AllOf(HasSubstr("model.head.kind"), HasSubstr("family m2_bert has a head \"mlm\"")));
  EXPECT_THAT(message_of<ConfigError>([&] { train_masked(run, "b", {"data.path="}); }),
              HasSubstr("data.path"));
}

}  // namespace
}  // namespace longconv::train::testing
