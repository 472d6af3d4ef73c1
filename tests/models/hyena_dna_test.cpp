// HyenaDNA (arXiv:2306.15794; models.md section 5): the seven published sizes with their recipes,
// and inputs longer than the filters (5.8). Its goldens are G4's, in goldens_test.cpp.

#include "core/base/error.h"
#include "core/ops/long_conv.h"
#include "models/cost/cost.h"
#include "models/layers/hyena_filter.h"
#include "tests/models/fidelity.h"
#include "tests/models/slopes.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <gmock/gmock.h>

namespace longconv::testing {
namespace {

using models::ModelConfig;
using ::testing::HasSubstr;

struct Published {
  const char* name;
  std::int64_t max_length;
  std::int64_t parameters;
};

TEST(HyenaDna, TheSevenPublishedSizes) {
  const Published cases[] = {
      {"tiny_1k", 1'024, 436'096},         {"tiny_1k_d256", 1'024, 1'641'088},
      {"tiny_16k", 16'384, 436'096},       {"small_32k", 32'768, 3'277'568},
      {"medium_160k", 160'000, 6'550'528}, {"medium_450k", 450'000, 6'550'528},
      {"large_1m", 1'000'000, 6'550'528},
  };
  constexpr std::int64_t kIntervals = 34'021;  // of Basenji's training part
  for (const Published& c : cases) {
    SCOPED_TRACE(c.name);
    train::RunConfig run;
    config::load(run,
                 std::string(LONGCONV_SOURCE_DIR) + "/configs/dna/hyenadna_" + c.name + ".toml");
    EXPECT_EQ(run.model.family(), "hyena_dna");
    const std::int64_t parameters = models::cost(run.model).parameters;
    EXPECT_EQ(parameters, c.parameters);
    record_count(std::string("parameters of HyenaDNA ") + c.name, c.parameters, parameters);
    EXPECT_EQ(run.model.l_max(), c.max_length + 2);
    EXPECT_EQ(run.data.seq_len(), c.max_length - 1) << "ids less one, for the shift";
    const std::int64_t batch = c.max_length > 65'536 ? 128 : 256;
    EXPECT_EQ(run.data.batch_size(), batch);
    EXPECT_EQ(batch % run.data.micro_batch(), 0);
    EXPECT_EQ(run.schedule.max_steps(), 100 * ((kIntervals + batch - 1) / batch)) << "100 epochs";
    EXPECT_EQ(run.schedule.warmup_steps(), run.schedule.max_steps() / 100);
    EXPECT_DOUBLE_EQ(run.schedule.min_lr(), 0.1 * run.optim.lr());
  }
}

TEST(HyenaDna, IsHyenaOfOrderTwoAndNothingElse) {
  const auto build = [](const std::string& lines) {
    ModelConfig config;
    config::parse(config, "d_model = 8\nn_layers = 2\nl_max = 18\nvocab_size = 12\n" + lines,
                  "m.toml");
    torch::manual_seed(3);
    return models::build(config, at::kDouble);
  };
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  const auto model = build("family = \"hyena_dna\"\nembed_dropout = 0.0\n");
  EXPECT_TRUE(at::equal(model->logits(ids), build("embed_dropout = 0.0\n")->logits(ids)));
  EXPECT_EQ(model->logits(ids).size(2), 16);
  EXPECT_THAT(message_of<ConfigError>([&] { build("family = \"hyena_dna\"\norder = 3\n"); }),
              HasSubstr("m.toml:6:9: model.order: expected 2"));
  EXPECT_THAT(message_of<ConfigError>([&] {
                build("family = \"hyena_dna\"\n[attention]\nlayers = [1]\nn_heads = 2\n");
              }),
              HasSubstr("attention.layers"));
}

// ---- partial convolution -----------------------------------------------------------------------

SmallModel partial(std::int64_t order) {
  SmallModel small;
  small.order = order;
  small.strong = true;
  small.train_positions = true;
  return small;
}

std::shared_ptr<models::HyenaOperator> operator_with_taps(std::int64_t order, std::int64_t taps) {
  ModelConfig config;
  configure(config, partial(order));
  config.filter.max_taps.set(taps);
  auto mixer = std::make_shared<models::HyenaOperator>(config, at::TensorOptions(at::kDouble));
  fill(*mixer, operator_names(), /*strong=*/true);
  return mixer;
}

TEST(PartialConvolution, WithEveryTapItIsThePlainOne) {
  for (const std::int64_t length : {1, 7, 18}) {
    const at::Tensor u = det(100, {2, length, 8});
    const at::Tensor plain = operator_with_taps(2, 0)->forward(u);
    EXPECT_TRUE(at::equal(operator_with_taps(2, 18)->forward(u), plain));
    const at::Tensor cut = operator_with_taps(2, 3)->forward(u);
    if (length > 3) {
      EXPECT_GT(max_abs(cut - plain), 1e-3 * max_abs(plain)) << "later taps matter";
    }
  }
}

// By plain sums over K taps, written out from the operator's own parts, far beyond l_max = 18.
TEST(PartialConvolution, SumsOverKTapsAtAnyLength) {
  constexpr std::int64_t kLength = 71;
  constexpr std::int64_t kTaps = 11;
  const auto mixer = operator_with_taps(2, kTaps);
  const at::Tensor u = det(100, {2, kLength, 8});
  const auto p = mixer->named_parameters();
  const auto filter =
      std::dynamic_pointer_cast<models::HyenaFilter>(mixer->named_modules()["filter_fn"]);
  ASSERT_NE(filter, nullptr);
  const at::NoGradGuard no_grad;
  const at::Tensor k = filter->filters(kTaps).front().k;

  const at::Tensor projected =
      at::linear(u, p["in_proj.weight"], p["in_proj.bias"]).transpose(1, 2);
  const at::Tensor s = at::conv1d(at::constant_pad_nd(projected, {2, 0}), p["short_filter.weight"],
                                  p["short_filter.bias"], at::IntArrayRef{1}, at::IntArrayRef{0},
                                  at::IntArrayRef{1}, 24);
  const at::Tensor v = s.narrow(1, 16, 8) * s.narrow(1, 8, 8);
  at::Tensor y = v * p["filter_fn.bias"].view({1, 8, 1});
  for (std::int64_t t = 0; t < kLength; ++t) {
    for (std::int64_t j = 0; j < std::min(kTaps, t + 1); ++j) {
      y.select(2, t).add_(k.select(1, j) * v.select(2, t - j));
    }
  }
  const at::Tensor want =
      at::linear((y * s.narrow(1, 0, 8)).transpose(1, 2), p["out_proj.weight"], p["out_proj.bias"]);
  const at::Tensor got = mixer->forward(u);
  EXPECT_LT(max_abs(got - want), 1e-12 * max_abs(want));
  EXPECT_GT(
      max_abs(
          got -
          at::linear((v * p["filter_fn.bias"].view({1, 8, 1}) * s.narrow(1, 0, 8)).transpose(1, 2),
                     p["out_proj.weight"], p["out_proj.bias"])),
      1e-3 * max_abs(want))
      << "without the filter it is another output";
}

TEST(PartialConvolution, GradientsBeyondTheFiltersEnd) {
  for (const std::int64_t order : {2, 3}) {
    const auto mixer = operator_with_taps(order, 5);
    const at::Tensor u = det(100, {1, 23, 8});
    const at::Tensor g = det(200, {1, 23, 8});
    expect_slopes(*mixer, [&] { return (mixer->forward(u) * g).sum(); });
    EXPECT_TRUE(gradcheck([&](const Tensors& x) { return mixer->forward(x[0]); }, {u}));
  }
}

TEST(PartialConvolution, AModelTakesInputsLongerThanItsFilters) {
  ModelConfig config;
  configure(config, partial(2));
  config.filter.max_taps.set(18);
  const auto model = models::build(config, at::kDouble);
  fill(*model, language_model_names(2), /*strong=*/true);
  model->eval();
  const at::Tensor ids = token_ids(2, 100, 7, 12);
  const at::Tensor logits = model->logits(ids);
  EXPECT_EQ(logits.size(1), 100);
  // Up to l_max the model is the published one.
  const at::Tensor start = golden_model(partial(2), at::kDouble)->logits(ids.narrow(1, 0, 18));
  EXPECT_LT(max_abs(logits.narrow(1, 0, 18) - start), 1e-12 * max_abs(start));
  // A layer sees 18 taps and 2 of the short filter back, two layers 2 (17 + 2): nothing further.
  at::Tensor changed = ids.clone();
  changed.select(1, 0).fill_(9);
  ASSERT_FALSE(at::equal(changed, ids));
  const at::Tensor difference = (model->logits(changed) - logits).abs();
  EXPECT_GT(max_abs(difference.select(1, 38)), 1e-9);
  EXPECT_LT(max_abs(difference.narrow(1, 39, 61)), 1e-11);
}

TEST(PartialConvolution, TapsThatTheFilterDoesNotHaveAreRefused) {
  ModelConfig config;
  config::parse(config, "d_model = 8\nl_max = 16\nvocab_size = 12\n[filter]\nmax_taps = 17\n",
                "m.toml");
  EXPECT_THAT(message_of<ConfigError>([&] { models::build(config); }),
              HasSubstr("m.toml:5:12: model.filter.max_taps: expected at most model.l_max = 16"));
  const auto model = golden_model(g4(true), at::kDouble);
  EXPECT_THAT(message_of<ConfigError>([&] { model->logits(token_ids(1, 19, 7, 12)); }),
              HasSubstr("model.filter.max_taps"));
}

}  // namespace
}  // namespace longconv::testing
