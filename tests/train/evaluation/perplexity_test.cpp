#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/perplexity.h"

#include "core/base/error.h"
#include "data/formats/token_shard.h"
#include "tests/support/temp_folder.h"
#include "tests/train/evaluation/fake_model.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace longconv::train {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kVocab = 11;
constexpr std::int64_t kColumns = 16;  // padded: part of the loss

// A logit that knows the position in the window and all ids before it, so that any wrong window,
// offset or target changes the sum.
double logit(double position, double sum, std::int64_t column) {
  return 3.0 * std::sin(0.7 * sum + 1.3 * static_cast<double>(column) + 0.11 * position);
}

at::Tensor causal_logits(const at::Tensor& ids, at::ScalarType dtype) {
  at::Tensor out = at::empty({ids.size(0), ids.size(1), kColumns}, at::kDouble);
  const at::Tensor rows = ids.contiguous();
  const auto* id = rows.const_data_ptr<std::int64_t>();
  auto* value = out.mutable_data_ptr<double>();
  for (std::int64_t b = 0; b < ids.size(0); ++b) {
    double sum = 0.0;
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
      sum += static_cast<double>(*id++);
      for (std::int64_t v = 0; v < kColumns; ++v) *value++ = logit(static_cast<double>(t), sum, v);
    }
  }
  return out.to(dtype);
}

// -log softmax of token i given the tokens from `start` on, in plain loops.
double token_nll(const std::vector<std::int32_t>& tokens, std::size_t start, std::size_t i) {
  double sum = 0.0;
  for (std::size_t k = start; k < i; ++k) sum += tokens[k];
  double total = 0.0;
  const auto position = static_cast<double>(i - 1 - start);
  for (std::int64_t v = 0; v < kColumns; ++v) total += std::exp(logit(position, sum, v));
  return std::log(total) - logit(position, sum, tokens[i]);
}

// The definition: token i is predicted by the first window that holds it and has counted all
// before.
double expected_nll(const std::vector<std::int32_t>& tokens, std::size_t length,
                    std::size_t overlap) {
  double sum = 0.0;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    std::size_t start = 0;
    while (start + length < i) start += length - overlap;
    sum += token_nll(tokens, start, i);
  }
  return sum;
}

class Perplexity : public ::testing::Test {
 protected:
  // One document a shard, so that windows cross the limits of both.
  data::WindowDataset split(std::size_t count, std::int64_t seq_len) {
    tokens_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      tokens_.push_back(static_cast<std::int32_t>((i * i + i / 3) % kVocab));
    }
    std::vector<std::filesystem::path> shards;
    for (std::size_t from = 0; from < count; from += 23) {
      const auto path = folder_ / ("part" + std::to_string(100 + from) + ".lct");
      data::TokenShardWriter writer(path, kVocab, -1, files::sha256("fake"));
      writer.add_document(
          std::span(tokens_).subspan(from, std::min<std::size_t>(23, count - from)));
      writer.finish();
      shards.push_back(path);
    }
    return data::WindowDataset(shards, seq_len);
  }

  testing::TempFolder folder_;
  std::vector<std::int32_t> tokens_;
  at::ScalarType dtype_ = at::kDouble;
  testing::FakeModel model_{kVocab, kColumns, 64,
                            [this](const at::Tensor& ids) { return causal_logits(ids, dtype_); }};
};

PerplexityOptions options(std::int64_t seq_len, std::int64_t overlap, std::int64_t batch) {
  PerplexityOptions result;
  result.seq_len = seq_len;
  result.overlap = overlap;
  result.batch = batch;
  return result;
}

TEST_F(Perplexity, EqualsTheTokenByTokenSum) {
  for (const std::size_t count : {2U, 8U, 9U, 10U, 61U, 64U, 65U}) {
    const data::WindowDataset data = split(count, 8);
    ASSERT_EQ(data.tokens(), static_cast<std::int64_t>(count));
    for (const std::int64_t overlap : {0, 1, 4, 7}) {
      for (const std::int64_t batch : {1, 3, 100}) {
        const PerplexityResult got = perplexity(model_, data, options(8, overlap, batch));
        const double want = expected_nll(tokens_, 8, static_cast<std::size_t>(overlap));
        EXPECT_EQ(got.tokens, static_cast<std::int64_t>(count) - 1);
        EXPECT_NEAR(got.nll, want, 1e-12 * want) << count << " " << overlap << " " << batch;
      }
    }
  }
}

TEST_F(Perplexity, OverlapAndPaddedColumnsMatter) {
  const data::WindowDataset data = split(61, 8);
  const double plain = perplexity(model_, data, options(8, 0, 4)).nll;
  EXPECT_GT(std::abs(plain - perplexity(model_, data, options(8, 4, 4)).nll), 1e-3 * plain);
  // Without the five padded columns the sum of each softmax would be smaller.
  double cut = 0.0;
  for (std::size_t i = 1; i < 9; ++i) {
    double sum = 0.0;
    double total = 0.0;
    for (std::size_t k = 0; k < i; ++k) sum += tokens_[k];
    for (std::int64_t v = 0; v < kVocab; ++v) {
      total += std::exp(logit(static_cast<double>(i - 1), sum, v));
    }
    cut += std::log(total) - logit(static_cast<double>(i - 1), sum, tokens_[i]);
  }
  EXPECT_LT(cut, 0.95 * perplexity(model_, split(9, 8), options(8, 0, 1)).nll);
}

TEST_F(Perplexity, ReadsReducedPrecisionLogitsInFloat32) {
  const data::WindowDataset data = split(61, 8);
  const double want = expected_nll(tokens_, 8, 0);
  dtype_ = at::kFloat;
  EXPECT_NEAR(perplexity(model_, data, options(8, 0, 4)).nll, want, 1e-6 * want);
  dtype_ = at::kBFloat16;  // the logits are rounded to 8 bits, the sums are not
  const double rounded = perplexity(model_, data, options(8, 0, 4)).nll;
  EXPECT_NEAR(rounded, want, 1.0 / 256 * want);
  EXPECT_GT(std::abs(rounded - want), 1e-6 * want);
}

TEST_F(Perplexity, BatchesEqualWindows) {
  (void)perplexity(model_, split(61, 8), options(8, 0, 3));  // 60 predictions: 7 windows and 4
  using Shapes = std::vector<std::vector<std::int64_t>>;
  EXPECT_EQ(model_.calls, (Shapes{{3, 8}, {3, 8}, {1, 8}, {1, 4}}));
  model_.calls.clear();
  (void)perplexity(model_, split(33, 8), options(8, 4, 3));  // 8, then 4 each: 7 windows in all
  EXPECT_EQ(model_.calls, (Shapes{{1, 8}, {3, 8}, {3, 8}}));
}

TEST_F(Perplexity, StopsAfterMaxBatches) {
  const data::WindowDataset data = split(61, 8);
  PerplexityOptions two = options(8, 0, 3);
  two.max_batches = 2;
  const PerplexityResult got = perplexity(model_, data, two);
  EXPECT_EQ(got.tokens, 48);
  const double want = expected_nll({tokens_.begin(), tokens_.begin() + 49}, 8, 0);
  EXPECT_NEAR(got.nll, want, 1e-12 * want);
}

TEST_F(Perplexity, RunsInEvalModeWithoutGradientsAndPutsBoth) {
  const data::WindowDataset data = split(30, 8);
  bool gradients = false;
  testing::FakeModel model(kVocab, kColumns, 64, [&](const at::Tensor& ids) {
    gradients = gradients || at::GradMode::is_enabled();
    return causal_logits(ids, at::kFloat);
  });
  for (const bool training : {true, false}) {
    model.train(training);
    (void)perplexity(model, data, options(8, 0, 2));
    EXPECT_EQ(model.is_training(), training);
  }
  EXPECT_FALSE(model.trained_in_call);
  EXPECT_FALSE(gradients);
  EXPECT_TRUE(at::GradMode::is_enabled());

  testing::FakeModel broken(kVocab, kColumns, 64,
                            [](const at::Tensor&) -> at::Tensor { throw DataError("stop here"); });
  broken.train();
  EXPECT_THROW((void)perplexity(broken, data, options(8, 0, 2)), DataError);
  EXPECT_TRUE(broken.is_training() && at::GradMode::is_enabled());
}

TEST_F(Perplexity, AutocastsForBf16Only) {
  const data::WindowDataset data = split(30, 8);
  std::vector<bool> seen;
  testing::FakeModel model(kVocab, kColumns, 64, [&](const at::Tensor& ids) {
    seen.push_back(at::autocast::is_autocast_enabled(at::kCPU));
    return causal_logits(ids, at::kFloat);
  });
  PerplexityOptions one = options(8, 0, 100);
  one.max_batches = 1;
  for (const char* precision : {"float32", "bf16", "float64"}) {
    one.precision = precision;
    (void)perplexity(model, data, one);
  }
  EXPECT_EQ(seen, (std::vector<bool>{false, true, false}));
}

TEST_F(Perplexity, NamesTheWindowThatIsNotFinite) {
  const data::WindowDataset data = split(61, 8);
  testing::FakeModel model(kVocab, kColumns, 64, [](const at::Tensor& ids) {
    at::Tensor logits = causal_logits(ids, at::kFloat);
    // The second window of the second batch: tokens 32 to 40 at 3 windows a batch.
    if (ids.size(0) == 3 && ids[0][0].item<std::int64_t>() == (24 * 24 + 8) % kVocab) {
      logits[1][2].fill_(std::numeric_limits<float>::quiet_NaN());
    }
    return logits;
  });
  EXPECT_THAT(
      testing::message_of<NonFiniteError>([&] { (void)perplexity(model, data, options(8, 0, 3)); }),
      HasSubstr("window at token 32 (8 tokens) is nan"));
}

TEST_F(Perplexity, RefusesWhatCannotBeMeasured) {
  const data::WindowDataset data = split(30, 8);
  const auto message = [&](const PerplexityOptions& how) {
    return testing::message_of<ConfigError>([&] { (void)perplexity(model_, data, how); });
  };
  EXPECT_THAT(message(options(65, 0, 1)), HasSubstr("between 1 and the model's l_max = 64"));
  EXPECT_THAT(message(options(8, 8, 1)), HasSubstr("overlap = 8"));
  EXPECT_THAT(message(options(8, -1, 1)), HasSubstr("overlap = -1"));
  EXPECT_THAT(message(options(8, 0, 0)), HasSubstr("batch >= 1"));
  const data::WindowDataset one = split(1, 8);
  EXPECT_THAT(
      testing::message_of<DataError>([&] { (void)perplexity(model_, one, options(8, 0, 1)); }),
      HasSubstr("at least 2 tokens, got 1"));
}

TEST(PerplexityResult, ConvertsToBits) {
  const PerplexityResult result{300.0, 100};
  EXPECT_DOUBLE_EQ(result.loss(), 3.0);
  EXPECT_DOUBLE_EQ(result.perplexity(), std::exp(3.0));
  // 3 nats a token, 101 tokens for 400 bytes.
  EXPECT_DOUBLE_EQ(result.bits_per_byte(101, 400), 3.0 / std::log(2.0) * 101.0 / 400.0);
}

/// Five windows of four tokens; some targets do not count.
class FiveWindows final : public data::Dataset {
 public:
  [[nodiscard]] std::int64_t size() const override { return 5; }
  [[nodiscard]] std::int64_t seq_len() const override { return 4; }
  [[nodiscard]] data::Batch get(std::span<const std::int64_t> indices) const override {
    const auto batch = static_cast<std::int64_t>(indices.size());
    data::Batch out{at::empty({batch, 4}, at::kLong), at::empty({batch, 4}, at::kLong)};
    for (std::int64_t i = 0; i < batch; ++i) {
      for (std::int64_t t = 0; t < 4; ++t) {
        const std::int64_t index = indices[static_cast<std::size_t>(i)];
        out.input.mutable_data_ptr<std::int64_t>()[4 * i + t] = token(index, t);
        out.target.mutable_data_ptr<std::int64_t>()[4 * i + t] =
            counts(index, t) ? token(index, t + 1) : -100;
      }
    }
    return out;
  }
  static std::int64_t token(std::int64_t window, std::int64_t t) {
    return (3 * window + t * t) % 11;
  }
  static bool counts(std::int64_t window, std::int64_t t) { return (window + t) % 3 != 0; }
};

TEST_F(Perplexity, OfWindowsThatStandAloneCountsOnlyWhatIsAskedFor) {
  double want = 0.0;
  std::int64_t tokens = 0;
  for (std::int64_t window = 0; window < 5; ++window) {
    std::vector<std::int32_t> ids;
    for (std::int64_t t = 0; t <= 4; ++t) {
      ids.push_back(static_cast<std::int32_t>(FiveWindows::token(window, t)));
    }
    for (std::int64_t t = 0; t < 4; ++t) {
      if (!FiveWindows::counts(window, t)) continue;
      want += token_nll(ids, 0, static_cast<std::size_t>(t) + 1);
      ++tokens;
    }
  }
  const FiveWindows split;
  for (const std::int64_t batch : {1, 2, 5, 9}) {
    longconv::testing::FakeModel model(
        kVocab, kColumns, 8, [](const at::Tensor& ids) { return causal_logits(ids, at::kDouble); });
    PerplexityOptions options;
    options.batch = batch;
    const PerplexityResult got = perplexity(model, split, options);
    EXPECT_EQ(got.tokens, tokens);
    EXPECT_NEAR(got.nll, want, 1e-9 * want);
    EXPECT_FALSE(model.trained_in_call);
    options.overlap = 1;
    EXPECT_THROW(perplexity(model, split, options), ConfigError);
  }
}

}  // namespace
}  // namespace longconv::train
