// Runs that start from another's weights, and parameters that stay as they are.
#include "core/files/atomic_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

fs::path weights(const TinyRuns& runs, const std::string& name) {
  return runs.checkpoints(name) / "latest" / kModelFile;
}

/// So small a rate that a step leaves every weight as it is.
const std::vector<std::string> kStill = {"optim.lr=1e-30", "schedule.max_steps=1",
                                         "schedule.warmup_steps=0", "schedule.warmup_lr=0"};

std::vector<std::string> with(std::vector<std::string> overrides,
                              const std::vector<std::string>& more) {
  overrides.insert(overrides.end(), more.begin(), more.end());
  return overrides;
}

TEST(InitialWeights, ARunStartsWhereAnotherEnded) {
  const TinyRuns runs;
  runs.train("a");
  const fs::path model = runs.path() / "model";
  files::create_folders(model);
  fs::copy_file(weights(runs, "a"), model / kModelFile);
  fs::copy_file(runs.run("a") / "config.toml", model / "config.toml");
  runs.train("drawn", with(kStill, {"seed=8"}));
  EXPECT_THAT(differing_tensors(weights(runs, "a"), weights(runs, "drawn")), Not(IsEmpty()));
  for (const fs::path& from : {runs.run("a"), runs.checkpoints("a") / "latest", model}) {
    const std::string name = "from_" + from.filename().string();
    runs.train(name, with(kStill, {"seed=8", "init.from=" + from.string()}));
    EXPECT_THAT(differing_tensors(weights(runs, "a"), weights(runs, name)), IsEmpty()) << from;
  }
}

TEST(InitialWeights, TheHeadStartsAfreshUnlessItIsAskedFor) {
  const TinyRuns runs;
  runs.train("a", {"model.tie_embeddings=false"});
  const std::vector<std::string> b =
      with(kStill, {"seed=8", "model.tie_embeddings=false", "init.from=" + runs.run("a").string()});
  runs.train("b", b);
  EXPECT_THAT(differing_tensors(weights(runs, "a"), weights(runs, "b")),
              ::testing::ElementsAre("lm_head.weight"));
  runs.train("c", with(b, {"init.load_head=true"}));
  EXPECT_THAT(differing_tensors(weights(runs, "a"), weights(runs, "c")), IsEmpty());
}

TEST(InitialWeights, FrozenParametersStayAndTheOthersMove) {
  const TinyRuns runs;
  runs.train("a");
  runs.train("b", {"seed=8", "init.from=" + runs.run("a").string(),
                   "init.freeze=[\"backbone.layers.0.*\", \"*.word_embeddings.*\"]"});
  const std::vector<std::string> moved = differing_tensors(weights(runs, "a"), weights(runs, "b"));
  EXPECT_THAT(moved, Each(::testing::AnyOf(StartsWith("backbone.layers.1."),
                                           StartsWith("backbone.ln_f."))));
  EXPECT_GT(moved.size(), 10U);
}

TEST(InitialWeights, AFrozenRunGoesOnWithoutItsSource) {
  const TinyRuns runs;
  runs.train("a");
  const std::vector<std::string> b{"init.from=" + runs.run("a").string(),
                                   "init.freeze=[\"*.mixer.*\"]"};
  runs.train("whole", b);
  runs.train("parts", with(b, {"schedule.max_steps=10"}));
  fs::rename(runs.run("a"), runs.run("gone"));  // what has begun does not need it
  runs.train("parts", b);
  // The schedules of 10 and 20 steps differ, so only what is frozen can be compared.
  for (const std::string& name :
       differing_tensors(weights(runs, "whole"), weights(runs, "parts"))) {
    EXPECT_THAT(name, Not(HasSubstr(".mixer.")));
  }
}

TEST(InitialWeights, WeightsThatWouldMeanSomethingElseAreRefused) {
  const TinyRuns runs;
  runs.train("a", {"schedule.max_steps=2"});
  const auto refused = [&](const std::string& override_text) {
    try {
      runs.train("b", {"init.from=" + runs.run("a").string(), override_text});
    } catch (const Error& error) {
      EXPECT_FALSE(fs::exists(runs.checkpoints("b"))) << "nothing was trained";
      return std::string(error.what());
    }
    ADD_FAILURE() << override_text << " was accepted";
    return std::string();
  };
  EXPECT_THAT(refused("model.filter.shift=0.05"),
              AllOf(HasSubstr("model.filter.shift"), HasSubstr("is 0.05"), HasSubstr("with 0.0")));
  EXPECT_THAT(refused("model.filter.modulate=false"), HasSubstr("were trained with true"));
  EXPECT_THAT(refused("model.l_max=32"), HasSubstr("pos_emb"));
  EXPECT_THAT(refused("model.d_inner=64"), HasSubstr("mlp.fc1"));
  EXPECT_THAT(refused("model.n_layers=3"), HasSubstr("missing"));
  EXPECT_THAT(refused("init.from=" + (runs.path() / "none").string()),
              AllOf(HasSubstr("init.from"), HasSubstr("expected a model folder")));
  EXPECT_THAT(refused("init.from=" + runs.path().string()), HasSubstr("model.safetensors"));
  EXPECT_THAT(refused("init.freeze=[\"*.mixr.*\"]"),
              HasSubstr("\"*.mixr.*\" matches no parameter"));
  EXPECT_THAT(refused("init.freeze=[\"*\"]"), HasSubstr("no parameter to train"));
}

}  // namespace
}  // namespace longconv::train::testing
