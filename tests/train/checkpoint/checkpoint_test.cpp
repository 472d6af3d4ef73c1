// Weights, optimiser state and generators through a checkpoint folder.
#include "train/checkpoint/checkpoint.h"

#include "core/base/error.h"
#include "core/files/safetensors.h"
#include "tests/models/small_models.h"
#include "tests/support/temp_folder.h"
#include "train/optim/optimizer.h"

#include <gmock/gmock.h>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::longconv::testing::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct TinyRun {
  RunConfig config;
  std::shared_ptr<models::Model> model;
  std::unique_ptr<AdamW> optimizer;

  explicit TinyRun(std::int64_t d_model = 8, at::ScalarType dtype = at::kFloat) {
    testing::SmallModel small = testing::g4(false);
    small.d_model = d_model;
    testing::configure(config.model, small);
    model = models::build(config.model, at::TensorOptions(dtype));
    model->eval();  // no dropout: both sides of a comparison see the same
    optimizer = make_optimizer(*model, config.optim);
  }
  void train(int steps) {
    for (int i = 0; i < steps; ++i) {
      model->logits(testing::token_ids(2, 16, 7, 12)).square().mean().backward();
      optimizer->step([](double peak) { return peak; });
      optimizer->zero_grad();
    }
  }
};

TEST(Checkpoint, RestoresWeightsMomentsAndStepCountsBitForBit) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const TempFolder temp;
    torch::manual_seed(1);
    TinyRun saved(8, dtype);
    saved.train(3);
    TrainState state;
    state.step = 3;
    const fs::path folder = save_checkpoint(temp / "c", *saved.model, *saved.optimizer, state);
    EXPECT_EQ(fs::read_symlink(temp / "c" / "latest"), folder.filename());

    torch::manual_seed(2);
    TinyRun loaded(8, dtype);
    load_tensors(folder, *loaded.model, *loaded.optimizer);
    const auto want = saved.optimizer->state();
    const auto got = loaded.optimizer->state();
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(at::equal(got[i].exp_avg, want[i].exp_avg)) << got[i].name;
      EXPECT_TRUE(at::equal(got[i].exp_avg_sq, want[i].exp_avg_sq)) << got[i].name;
      EXPECT_EQ(got[i].step.item<float>(), 3.0F) << got[i].name;
      EXPECT_GT(got[i].exp_avg_sq.sum().item<double>(), 0.0) << got[i].name;
    }
    saved.train(2);
    loaded.train(2);
    auto others = loaded.model->named_parameters();
    for (const auto& item : saved.model->named_parameters()) {
      EXPECT_TRUE(at::equal(others[item.key()], item.value())) << item.key();
    }
  }
}

TEST(Checkpoint, OfAnotherModelNamesTheTensor) {
  const TempFolder temp;
  TinyRun saved(8);
  const fs::path folder = save_checkpoint(temp / "c", *saved.model, *saved.optimizer, {});
  TinyRun wider(16);
  EXPECT_THAT(
      message_of<CheckpointError>([&] { load_tensors(folder, *wider.model, *wider.optimizer); }),
      AllOf(HasSubstr(kModelFile), HasSubstr("16"), HasSubstr("8")));
}

TEST(Checkpoint, WithOptimiserStateOfAnotherModelNamesTheTensor) {
  const TempFolder temp;
  TinyRun saved(8);
  TinyRun wider(16);
  const fs::path narrow = save_checkpoint(temp / "n", *saved.model, *saved.optimizer, {});
  const fs::path wide = save_checkpoint(temp / "w", *wider.model, *wider.optimizer, {});
  fs::copy_file(wide / kOptimizerFile, narrow / kOptimizerFile,
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(
      message_of<CheckpointError>([&] { load_tensors(narrow, *saved.model, *saved.optimizer); }),
      AllOf(HasSubstr(kOptimizerFile), HasSubstr("exp_avg"), HasSubstr("expected [")));

  const files::SafetensorsFile whole(wide / kOptimizerFile);
  std::vector<files::TensorView> most;
  for (const auto& [name, view] : whole.tensors()) {
    if (name.find("ln_f.weight.exp_avg_sq") == std::string::npos) most.push_back(view);
  }
  files::write_safetensors(wide / "less.safetensors", most);
  fs::rename(wide / "less.safetensors", wide / kOptimizerFile);
  EXPECT_THAT(
      message_of<CheckpointError>([&] { load_tensors(wide, *wider.model, *wider.optimizer); }),
      AllOf(HasSubstr("ln_f.weight.exp_avg_sq"), HasSubstr("missing")));
}

TEST(Generators, ContinueWhereTheyWere) {
  torch::manual_seed(3);
  torch::randn({5});
  TrainState state;
  read_generators(c10::kCPU, state);
  EXPECT_TRUE(state.device_rng.empty());
  const at::Tensor want = torch::randn({9});
  torch::manual_seed(4);
  EXPECT_FALSE(at::equal(torch::randn({9}), want));
  write_generators(c10::kCPU, state);
  EXPECT_TRUE(at::equal(torch::randn({9}), want));
}

}  // namespace
}  // namespace longconv::train
