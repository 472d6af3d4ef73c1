// Losses against their definitions.
#include "core/base/error.h"
#include "tests/support/gradcheck.h"
#include "train/objectives/absolute_error.h"
#include "train/objectives/cross_entropy.h"
#include "train/objectives/objective.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace longconv::train {
namespace {

TEST(CrossEntropy, IsTheMeanOverSamplesAndOverTokens) {
  torch::manual_seed(1);
  const at::Tensor logits = torch::randn({6, 5}, at::kDouble);
  const at::Tensor target = torch::tensor({0, 4, 2, 2, 1, 3}, at::kLong);
  double sum = 0.0;
  for (int i = 0; i < 6; ++i) {
    sum += logits[i].exp().sum().log().item<double>() -
           logits[i][target[i].item<std::int64_t>()].item<double>();
  }
  EXPECT_NEAR(cross_entropy(logits, target).item<double>(), sum / 6.0, 1e-12);
  EXPECT_NEAR(cross_entropy(logits.view({2, 3, 5}), target.view({2, 3})).item<double>(), sum / 6.0,
              1e-12);
  EXPECT_THROW(cross_entropy(logits, target.view({2, 3})), ShapeError);
  EXPECT_TRUE(testing::gradcheck(
      [&](const testing::Tensors& x) { return cross_entropy(x[0], target); }, {logits}));
}

TEST(AbsoluteError, IsTheMeanOverWhatWasMeasured) {
  const double nan = std::nan("");
  const at::Tensor prediction =
      torch::tensor({{1.0, 2.0}, {3.0, 4.0}}, at::kDouble).set_requires_grad(true);
  const at::Tensor target = torch::tensor({{2.0, nan}, {2.5, 4.25}}, at::kDouble);
  const at::Tensor loss = absolute_error(prediction, target);
  EXPECT_NEAR(loss.item<double>(), (1.0 + 0.5 + 0.25) / 3.0, 1e-12);
  loss.backward();
  const at::Tensor want = torch::tensor({{-1.0, 0.0}, {1.0, -1.0}}, at::kDouble) / 3.0;
  EXPECT_TRUE(at::allclose(prediction.grad(), want));
  EXPECT_THROW(absolute_error(prediction, target.narrow(0, 0, 1)), ShapeError);
}

TEST(Objectives, OneForEachHead) {
  for (const char* head : {"lm", "mlm", "classifier", "regressor"}) {
    EXPECT_EQ(objective(head).head, head);
  }
  EXPECT_THROW((void)objective("poet"), std::logic_error);
}

}  // namespace
}  // namespace longconv::train
