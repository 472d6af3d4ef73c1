// state.json: survives exactly, and tells another run's checkpoint from this run's.
#include "train/checkpoint/state.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <cmath>

namespace longconv::train {
namespace {

using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TrainState example() {
  TrainState state;
  state.step = 1234567890123;
  state.trained_s = 0.1 + 0.2;
  state.plateau = {0.1, 1.0 / 3.0, 4};
  state.loader_seed = 0xFFFFFFFFFFFFFFFFULL;
  state.loader_consumed = 77;
  for (int i = 0; i < 256; ++i) state.cpu_rng.push_back(static_cast<char>(i));
  state.device_rng = std::string("\0\x7f", 2);
  state.evaluated_step = 12;
  state.validation_loss = std::nextafter(2.5, 3.0);
  state.best_step = 10;
  state.best_loss = 1e-300;
  state.window = {{8, 1.0 / 7.0, 2.0 / 7.0}, {9, 3.5, 4.5}};
  state.data_fingerprint = "abcdef0123456789";
  state.config = {{"model.d_model", "64"}, {"data.path", "\"a \\\"b\\\"\""}};
  return state;
}

TEST(State, SurvivesExactly) {
  const TrainState want = example();
  const std::string text = to_json(want);
  const TrainState got = from_json(text, "state.json");
  EXPECT_EQ(to_json(got), text);
  EXPECT_EQ(got.step, want.step);
  EXPECT_EQ(got.trained_s, want.trained_s);
  EXPECT_EQ(got.plateau.scale, want.plateau.scale);
  EXPECT_EQ(got.plateau.best, want.plateau.best);
  EXPECT_EQ(got.plateau.worse, want.plateau.worse);
  EXPECT_EQ(got.loader_seed, want.loader_seed);
  EXPECT_EQ(got.loader_consumed, want.loader_consumed);
  EXPECT_EQ(got.cpu_rng, want.cpu_rng);
  EXPECT_EQ(got.device_rng, want.device_rng);
  EXPECT_EQ(got.validation_loss, want.validation_loss);
  EXPECT_EQ(got.best_loss, want.best_loss);
  EXPECT_EQ(got.best_step, want.best_step);
  EXPECT_EQ(got.evaluated_step, want.evaluated_step);
  ASSERT_EQ(got.window.size(), 2U);
  EXPECT_EQ(got.window[0].loss, 1.0 / 7.0);
  EXPECT_EQ(got.window[1].grad_norm, 4.5);
  EXPECT_EQ(got.data_fingerprint, want.data_fingerprint);
  EXPECT_EQ(got.config, want.config);
}

TEST(State, KeepsWhatIsNotThereYetAbsent) {
  const TrainState got = from_json(to_json({}), "state.json");
  EXPECT_TRUE(std::isnan(got.validation_loss));
  EXPECT_TRUE(std::isinf(got.best_loss));
  EXPECT_TRUE(std::isinf(got.plateau.best));
  EXPECT_EQ(got.best_step, -1);
}

TEST(State, NamesTheFileAndWhatIsWrongInIt) {
  const std::string good = to_json(example());
  const auto message = [](const std::string& text) {
    return message_of<CheckpointError>([&] { from_json(text, "runs/a/state.json"); });
  };
  EXPECT_THAT(message(good.substr(0, good.size() / 2)), HasSubstr("runs/a/state.json"));
  std::string renamed = good;
  renamed.replace(renamed.find("\"loader\""), 8, "\"louder\"");
  EXPECT_THAT(message(renamed), AllOf(HasSubstr("runs/a/state.json"), HasSubstr("loader")));
  std::string newer = good;
  newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 2");
  EXPECT_THAT(message(newer), HasSubstr("version 2"));
  std::string no_hex = good;
  no_hex.replace(no_hex.find("00010203"), 2, "zz");
  EXPECT_THAT(message(no_hex), HasSubstr("hexadecimal"));
}

class SameRun : public ::testing::Test {
 protected:
  SameRun() {
    config::parse(now_, "[model]\nd_model = 64\n[[optim.group]]\nmatch = '*.bias'\nlr = 0.5\n",
                  "run.toml");
    state_.config = config_values(now_);
    state_.data_fingerprint = "0123456789abcdef";
  }
  void check() { require_same_run(state_, now_, "0123456789abcdef", "runs/a/step_0000010"); }
  std::string refusal() {
    return message_of<CheckpointError>([this] { check(); });
  }
  /// As if the checkpoint had been made with `value` for `path`.
  void before(const std::string& path, const std::string& value) {
    for (auto& [name, stored] : state_.config) {
      if (name == path) {
        stored = value;
        return;
      }
    }
    FAIL() << "no key " << path;
  }

  RunConfig now_;
  TrainState state_;
};

TEST_F(SameRun, IsRecognised) { EXPECT_NO_THROW(check()); }

TEST_F(SameRun, AllowsOtherPlacesDevicesAndLogging) {
  now_.run.dir.set("elsewhere");
  now_.run.device.set("cpu");
  now_.train.log_every.set(3);
  now_.data.workers.set(5);
  now_.data.micro_batch.set(8);
  now_.train.keep_last.set(9);
  EXPECT_NO_THROW(check());
}

TEST_F(SameRun, AllowsAnotherCutOfAStageButNoOtherStage) {
  now_.data.stage.append().micro_batch.set(4);
  state_.config = config_values(now_);
  now_.data.stage.clear();
  now_.data.stage.append().micro_batch.set(2);
  EXPECT_NO_THROW(check());
  now_.data.stage.clear();
  now_.data.stage.append().seq_len.set(512);
  EXPECT_THAT(refusal(), HasSubstr("seq_len is 1024 there and 512 here"));
}

TEST_F(SameRun, NamesEveryKeyThatDiffers) {
  before("model.d_model", "32");
  before("optim.lr", "0.25");
  EXPECT_THAT(
      refusal(),
      AllOf(HasSubstr("runs/a/step_0000010"), HasSubstr("model.d_model is 32 there and 64 here"),
            HasSubstr("optim.lr"), HasSubstr("run.dir"), Not(HasSubstr("n_layers"))));
}

TEST_F(SameRun, SeesAnotherGroup) {
  now_.optim.group.append().match.set("*.weight");
  EXPECT_THAT(refusal(), HasSubstr("\"*.weight\""));
}

TEST_F(SameRun, SeesAnotherCorpus) {
  state_.data_fingerprint = "fedcba9876543210";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("corpus"), HasSubstr("fedcba987654")));
}

TEST_F(SameRun, SaysAloudThatTheRunBecomesLonger) {
  now_.schedule.max_steps.set(5000);
  ::testing::internal::CaptureStderr();
  check();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("schedule.max_steps"), HasSubstr("5000")));
}

}  // namespace
}  // namespace longconv::train
