// Masked tokens are counted one by one, whatever the batches.
#include "train/evaluation/masked_tokens.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"
#include "tests/train/evaluation/fake_model.h"

#include <gmock/gmock.h>
#include <torch/types.h>

#include <cmath>

namespace longconv::train {
namespace {

using ::longconv::testing::FakeModel;
using ::longconv::testing::message_of;
using ::testing::HasSubstr;

/// Row i: ids 1, 2, .. 6; of row i the first i tokens are masked.
class Rows final : public data::Dataset {
 public:
  explicit Rows(std::int64_t rows) : rows_(rows) {}
  [[nodiscard]] std::int64_t size() const override { return rows_; }
  [[nodiscard]] std::int64_t seq_len() const override { return 6; }
  [[nodiscard]] data::Batch get(std::span<const std::int64_t> indices) const override {
    const auto batch = static_cast<std::int64_t>(indices.size());
    const at::Tensor ids = at::arange(1, 7, at::kLong).expand({batch, 6}).contiguous();
    at::Tensor target = at::full({batch, 6}, -100, at::kLong);
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t masked = indices[static_cast<std::size_t>(b)];
      target[b].narrow(0, 0, masked).copy_(ids[b].narrow(0, 0, masked));
    }
    return {ids, target};
  }

 private:
  std::int64_t rows_;
};

/// Certain of its input, but for id 2, which it takes for 3.
FakeModel knowing_model(double score) {
  return {8, 8, 6, [score](const at::Tensor& ids) {
            return at::one_hot(ids.eq(2).logical_not().mul(ids) + ids.eq(2) * 3, 8).to(at::kFloat) *
                   score;
          }};
}

TEST(MaskedTokensTest, EachCountsOnceWhateverTheBatches) {
  // Rows 0 to 5 mask 0 + 1 + .. + 5 tokens; those from row 2 on have the id 2 among them.
  const double right = std::log(std::exp(3.0) + 7.0) - 3.0;
  const double wrong = std::log(std::exp(3.0) + 7.0);
  for (const std::int64_t batch : {1, 4, 6}) {
    FakeModel model = knowing_model(3.0);
    PassOptions options;
    options.batch = batch;
    const MaskedTokens result = measure_masked_tokens(model, Rows(6), options);
    EXPECT_EQ(result.tokens, 15);
    EXPECT_EQ(result.correct, 11);
    EXPECT_DOUBLE_EQ(result.accuracy(), 11.0 / 15.0);
    EXPECT_NEAR(result.nll, 11 * right + 4 * wrong, 1e-5);
    EXPECT_FALSE(model.trained_in_call);
  }
  FakeModel model = knowing_model(3.0);
  PassOptions options;
  options.batch = 2;
  options.max_batches = 2;
  EXPECT_EQ(measure_masked_tokens(model, Rows(6), options).tokens, 0 + 1 + 2 + 3);
}

TEST(MaskedTokensTest, NothingMaskedAndNoNumberAreErrors) {
  FakeModel model = knowing_model(3.0);
  EXPECT_THAT(message_of<DataError>([&] { measure_masked_tokens(model, Rows(1), {}); }),
              HasSubstr("nothing is masked in 1 samples"));
  FakeModel broken = knowing_model(std::nan(""));
  EXPECT_THAT(message_of<NonFiniteError>([&] { measure_masked_tokens(broken, Rows(3), {}); }),
              HasSubstr("sample 1 is nan"));
}

}  // namespace
}  // namespace longconv::train
