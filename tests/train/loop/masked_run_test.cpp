// M2-BERT trained on masked documents, from its TOML to its run folder.
#include "tests/train/loop/masked_run.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "core/files/safetensors.h"
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

// models.md 3.8: the table of positions again and again, the filters' features for the new length.
TEST(TrainMasked, ALongerModelStartsFromAShorterOne) {
  const MaskedRun run;
  train_masked(run, "short", {"schedule.max_steps=3"});
  train_masked(
      run, "long",
      {"data.seq_len=32", "init.from=" + run.folder("short").string(), "init.load_head=true",
       "optim.lr=1e-30", "optim.weight_decay=0", "schedule.max_steps=2"});
  const auto tensors = [&](const char* name) {
    return files::SafetensorsFile(run.folder(name) / "checkpoints" / "latest" /
                                  "model.safetensors");
  };
  const files::SafetensorsFile from = tensors("short");
  const files::SafetensorsFile to = tensors("long");
  const std::string table = "bert.embeddings.position_embeddings.weight";
  const auto bytes = [](const files::SafetensorsFile& file, const std::string& name) {
    const auto data = file.tensors().at(name).data;
    return std::string(reinterpret_cast<const char*>(data.data()), data.size());
  };
  const std::string block = bytes(from, table);
  EXPECT_TRUE(bytes(to, table) == (block + block + block).substr(0, 32 * block.size() / 14));
  for (const auto& [name, view] : from.tensors()) {
    if (name == table || name.find("pos_emb.") != std::string::npos) continue;
    EXPECT_TRUE(bytes(to, name) == bytes(from, name)) << name;
  }
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
