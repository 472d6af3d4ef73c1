// The trainer's own ways of writing weights are seen by filters that are kept: an optimiser's step
// and a checkpoint that is taken up.
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/checkpoint.h"
#include "train/loop/training.h"

#include <gtest/gtest.h>

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/arange.h>
#include <c10/core/GradMode.h>

namespace longconv::train::testing {
namespace {

struct Running {
  TinyRuns runs;
  RunConfig config;
  Parts parts;
  at::Tensor ids;

  Running() {
    const std::vector<std::string> overrides = {"train.accumulate=2", "train.precision=float64",
                                                "model.embed_dropout=0.0",
                                                "model.resid_dropout=0.0"};
    runs.train("a", overrides);
    config::load(config, runs.config().string());
    for (const std::string& text : overrides) config::apply_override(config, text);
    resolve_keys(config, runs.config().string());
    parts = build_parts(config);
    ids = at::arange(16, at::TensorOptions(at::kLong)).unsqueeze(0);
  }
  /// Without grad mode, so by the filters that are kept.
  [[nodiscard]] at::Tensor evaluate() const {
    const c10::NoGradGuard no_grad;
    return parts.model->logits(ids);
  }
  /// With grad mode and outside of a step every filter is made anew.
  [[nodiscard]] at::Tensor evaluate_afresh() const { return parts.model->logits(ids).detach(); }
};

TEST(SharedFilters, AStepOfTheOptimiserIsSeen) {
  Running run;
  for (int step = 0; step < 3; ++step) {
    const at::Tensor before = run.evaluate();
    accumulate_gradients(run.parts, run.config.train.precision());
    EXPECT_TRUE(run.evaluate().equal(before)) << "nothing was written yet";
    run.parts.optimizer->step([](double peak) { return peak; });
    run.parts.optimizer->zero_grad();
    const at::Tensor after = run.evaluate();
    EXPECT_GT((after - before).abs().max().item<double>(), 0.0);
    EXPECT_TRUE(run.evaluate_afresh().equal(after));
  }
}

TEST(SharedFilters, ACheckpointThatIsTakenUpIsSeen) {
  Running run;
  const at::Tensor before = run.evaluate();
  load_tensors(run.runs.checkpoints("a") / "latest", *run.parts.model, *run.parts.optimizer);
  const at::Tensor after = run.evaluate();
  EXPECT_GT((after - before).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(run.evaluate_afresh().equal(after));
}

}  // namespace
}  // namespace longconv::train::testing
