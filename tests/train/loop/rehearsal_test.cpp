// The pass before the first step leaves no trace.
#include "train/loop/rehearsal.h"

#include "core/files/atomic_file.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/checkpoint.h"
#include "train/loop/training.h"

#include <gmock/gmock.h>

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/rand.h>

#include <map>

namespace longconv::train::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A run in the middle of its training, as Training holds it.
struct Running {
  RunConfig config;
  Parts parts;

  Running(const TinyRuns& runs, const std::vector<std::string>& overrides) {
    config::load(config, runs.config().string());
    for (const std::string& text : overrides) {
      if (text == "images") {
        for (const std::string& each : runs.images()) config::apply_override(config, each);
      } else {
        config::apply_override(config, text);
      }
    }
    resolve_keys(config, runs.config().string());
    parts = build_parts(config);
    parts.model->train();
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      accumulate_gradients(parts, config.train.precision());
      clip_gradients(parts.optimizer->gradients(), config.optim.clip_norm());
      parts.optimizer->step([](double peak) { return peak; });
      parts.optimizer->zero_grad();
    }
  }
  /// Every byte that decides how the run goes on, by name.
  [[nodiscard]] std::map<std::string, std::string> bytes() const {
    std::map<std::string, std::string> out;
    const auto add = [&](const std::string& name, const at::Tensor& t) {
      out[name] = std::string(static_cast<const char*>(t.const_data_ptr()), t.nbytes());
    };
    for (const auto& item : parts.model->named_parameters()) add(item.key(), item.value());
    for (const auto& item : parts.model->named_buffers()) add(item.key(), item.value());
    for (const AdamWState& state : parts.optimizer->state()) {
      add(state.name + ".exp_avg", state.exp_avg);
      add(state.name + ".exp_avg_sq", state.exp_avg_sq);
      add(state.name + ".step", state.step);
    }
    TrainState generators;
    read_generators(parts.device, generators);
    out["generator"] = generators.cpu_rng;
    out["position"] = std::to_string(parts.loader->position().consumed);
    return out;
  }
};

class Rehearsal : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Rehearsal, LeavesNoTraceAtTheStartNorInTheMiddle) {
  const TinyRuns runs;
  Running run(runs, GetParam());
  for (int i = 0; i < 2; ++i) {
    const auto before = run.bytes();
    EXPECT_GT(rehearse(run.parts, run.config), 0.0);
    EXPECT_EQ(run.bytes(), before) << "after " << 2 * i << " steps";
    EXPECT_THAT(run.parts.optimizer->gradients(), IsEmpty());
    run.steps(2);
    EXPECT_NE(run.bytes(), before) << "a step would go unseen";
  }
}

TEST_P(Rehearsal, TheStepsAfterItAreThoseOfARunWithout) {
  const TinyRuns runs;
  const auto end = [&](const auto& prelude) {
    Running run(runs, GetParam());
    prelude(run);
    run.steps(3);
    return run.bytes();
  };
  const auto without = end([](Running&) {});
  EXPECT_EQ(end([](Running& run) { rehearse(run.parts, run.config); }), without);
  EXPECT_NE(end([](Running&) { at::rand({1}); }), without) << "dropout would not notice";
}

INSTANTIATE_TEST_SUITE_P(
    EveryArithmetic, Rehearsal,
    ::testing::Values(std::vector<std::string>{"train.precision=float32"},
                      std::vector<std::string>{"train.precision=float64", "train.accumulate=2"},
                      std::vector<std::string>{"train.precision=bf16", "data.workers=0"},
                      std::vector<std::string>{"images"}));  // BatchNorm's running statistics

TEST(RehearsalOfARun, IsReportedAndNotCounted) {
  const TinyRuns runs;
  const Outcome outcome = runs.train("a", {"schedule.max_steps=2"});
  EXPECT_EQ(outcome.step, 2);
  EXPECT_THAT(files::read_text(runs.run("a") / "log.txt"), HasSubstr("made ready in"));
}

}  // namespace
}  // namespace longconv::train::testing
