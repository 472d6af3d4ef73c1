// Classifiers on Hyena's backbone (models.md 5.6): every pool against plain loops over the hidden
// states, padding on either side, names, gradients.
#include "core/base/error.h"
#include "models/cost/cost.h"
#include "models/weights/model_folder.h"
#include "tests/models/slopes.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <gmock/gmock.h>

namespace longconv::testing {
namespace {

using models::Input;
using models::ModelConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kClasses = 3;

/// The backbone of G4 with a classifier, W .3 det(90), b .1 det(91).
std::shared_ptr<models::Model> classifier(const std::string& pool, std::int64_t order = 2) {
  ModelConfig config;
  SmallModel small = g4(/*strong=*/true);
  small.order = order;
  configure(config, small);
  if (order == 2) config.family.set("hyena_dna");
  config.head.kind.set("classifier");
  config.head.pool.set(pool);
  config.head.n_classes.set(kClasses);
  auto model = models::build(config, at::kDouble);
  fill(*model, language_model_names(2), /*strong=*/true);
  const at::NoGradGuard no_grad;
  auto parameters = model->named_parameters();
  parameters["decoder.0.output_transform.weight"].copy_(0.3 * det(90, {kClasses, 8}));
  parameters["decoder.0.output_transform.bias"].copy_(0.1 * det(91, at::IntArrayRef{kClasses}));
  model->eval();
  return model;
}

/// Steps of row `b` by which a pool counts, and what one step weighs.
at::Tensor pooled(const at::Tensor& hidden, std::int64_t length, const std::string& pool) {
  at::Tensor sum = at::zeros({hidden.size(1)}, hidden.options());
  if (pool == "first") return hidden[0];
  if (pool == "last") return hidden[length - 1];
  for (std::int64_t t = 0; t < length; ++t) sum += hidden[t];
  return pool == "mean" ? sum / static_cast<double>(length) : sum;
}

TEST(HyenaClassifier, PoolsTheHiddenStatesOfTheSteps) {
  const at::Tensor ids = token_ids(3, 11, 7, 12);
  const at::Tensor lengths = torch::tensor({11, 4, 1}, at::kLong);
  const at::NoGradGuard no_grad;
  for (const char* pool : {"last", "first", "mean", "sum"}) {
    for (const bool padded : {false, true}) {
      SCOPED_TRACE(std::string(pool) + (padded ? ", lengths" : ""));
      const auto model = classifier(pool);
      const at::Tensor hidden = model->hidden(ids);
      const at::Tensor weight = 0.3 * det(90, {kClasses, 8});
      const at::Tensor got = model->logits(padded ? Input(ids, lengths) : Input(ids));
      ASSERT_EQ(got.sizes(), at::IntArrayRef({3, kClasses}));
      for (std::int64_t b = 0; b < 3; ++b) {
        const std::int64_t length = padded ? lengths[b].item<std::int64_t>() : 11;
        const at::Tensor want = weight.matmul(pooled(hidden[b], length, pool)) +
                                0.1 * det(91, at::IntArrayRef{kClasses});
        EXPECT_LT(max_abs(got[b] - want), 1e-12);
      }
    }
  }
  const at::Tensor ragged = classifier("ragged")->logits(Input(ids, lengths - 2));
  EXPECT_EQ(ragged.sizes(), at::IntArrayRef({3, 9, kClasses})) << "the longest row has 9 steps";
}

// What stands on a row's right reaches nothing; what stands on its left is read, as published.
TEST(HyenaClassifier, PaddingOnTheRightIsNothingAndOnTheLeftIsRead) {
  constexpr std::int64_t kPad = 4;
  const at::Tensor ids = token_ids(1, 9, 7, 12);
  const at::Tensor pad = at::full({1, 5}, kPad, at::kLong);
  const at::Tensor length = torch::tensor({9}, at::kLong);
  const at::NoGradGuard no_grad;
  for (const char* pool : {"last", "first", "mean", "sum"}) {
    SCOPED_TRACE(pool);
    const auto model = classifier(pool);
    const at::Tensor alone = model->logits(ids);
    const at::Tensor right = model->logits(Input(at::cat({ids, pad}, 1), length));
    EXPECT_LT(max_abs(right - alone), 1e-12 * max_abs(alone));
    const at::Tensor left = model->logits(at::cat({pad, ids}, 1));
    EXPECT_GT(max_abs(left - alone), 1e-3 * max_abs(alone));
  }
}

TEST(HyenaClassifier, EveryGradientIsTheSlope) {
  const at::Tensor ids = token_ids(2, 9, 7, 12);
  const at::Tensor g = det(200, {2, kClasses});
  for (const std::int64_t order : {2, 3}) {
    const auto model = classifier("mean", order);
    expect_slopes(*model, [&] {
      return (model->logits(Input(ids, torch::tensor({9, 5}, at::kLong))) * g).sum();
    });
  }
}

TEST(HyenaClassifier, HasThePublishedNamesAndNoLanguageModelsHead) {
  const auto model = classifier("mean");
  const auto tensors = models::state_dict(*model);
  EXPECT_EQ(tensors.count("decoder.0.output_transform.weight"), 1U);
  EXPECT_EQ(tensors.count("decoder.0.output_transform.bias"), 1U);
  EXPECT_EQ(tensors.count("lm_head.weight"), 0U);
  const auto lm = golden_model(g4(true), at::kDouble);
  EXPECT_EQ(tensors.size(), models::state_dict(*lm).size() + 2) << "the head is tied there";
  EXPECT_TRUE(
      at::equal(model->hidden(token_ids(2, 16, 7, 12)), lm->hidden(token_ids(2, 16, 7, 12))));
  EXPECT_EQ(model->overrides().size(), lm->overrides().size());
  EXPECT_GT(model->overrides().size(), 0U);
}

/// G4s with `vectors` before every row.
std::shared_ptr<models::Model> prompted(std::int64_t vectors) {
  ModelConfig config;
  configure(config, g4(/*strong=*/true));
  config.soft_prompt.set(vectors);
  auto model = models::build(config, at::kDouble);
  fill(*model, language_model_names(2), /*strong=*/true);
  const at::NoGradGuard no_grad;
  if (vectors > 0) {
    auto parameters = model->named_parameters();
    parameters["soft_prompt"].copy_(0.5 * det(92, {vectors, 8}));
  }
  model->eval();
  return model;
}

// Vectors that are rows of the embedding are tokens.
TEST(SoftPrompt, StandsBeforeTheTokens) {
  const auto model = prompted(3);
  const auto plain = prompted(0);
  const at::Tensor ids = token_ids(2, 11, 7, 12);
  const at::NoGradGuard no_grad;
  auto parameters = model->named_parameters();
  const at::Tensor rows = parameters["backbone.embeddings.word_embeddings.weight"];
  parameters["soft_prompt"].copy_(rows.slice(0, 7, 10));
  const at::Tensor words = at::cat({torch::tensor({{7, 8, 9}}, at::kLong).expand({2, 3}), ids}, 1);
  const at::Tensor want = plain->logits(words).narrow(1, 3, 11);
  const at::Tensor got = model->logits(ids);
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT(max_abs(got - want), 1e-12 * max_abs(want));
  EXPECT_GT(max_abs(plain->logits(ids) - want), 1e-3 * max_abs(want));
  EXPECT_EQ(model->l_max(), plain->l_max() - 3);
  EXPECT_THAT(message_of<ConfigError>([&] { (void)model->logits(token_ids(1, 16, 7, 12)); }),
              HasSubstr("16 tokens behind 3 of model.soft_prompt"));
}

TEST(SoftPrompt, EveryGradientIsTheSlope) {
  const auto model = prompted(2);
  const at::Tensor ids = token_ids(2, 9, 7, 12);
  expect_slopes(*model, [&] { return next_token_loss(model->logits(ids), ids); });
}

TEST(HyenaClassifier, WhatDoesNotFitIsAnErrorAtTheKey) {
  const auto refused = [](const std::string& lines) {
    ModelConfig config;
    config::parse(config, "l_max = 8\n" + lines, "m.toml");
    return message_of<ConfigError>([&] { (void)models::build(config); });
  };
  EXPECT_THAT(refused("vocab_size = 12\n[head]\nkind = \"regressor\"\n"),
              AllOf(HasSubstr("m.toml:4:8: model.head.kind"), HasSubstr("\"classifier\"")));
  EXPECT_THAT(refused("vocab_size = 12\n[head]\nkind = \"classifier\"\n"),
              HasSubstr("model.head.n_classes"));
  EXPECT_THAT(refused("d_input = 3\n"),
              AllOf(HasSubstr("m.toml:2:11: model.d_input"), HasSubstr("takes ids")));
}

TEST(HyenaClassifier, TheRecipeOfPromotersIsThePublishedOne) {
  train::RunConfig run;
  config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/dna/human_nontata_promoters.toml");
  EXPECT_EQ(models::cost(run.model).parameters, 436'096 + 2 * 128 + 2);
  EXPECT_EQ(run.model.head.pool(), "mean");
  EXPECT_EQ(run.data.samples.pad(), "seq_len");
  EXPECT_EQ(run.schedule.max_steps(), 100 * ((27'097 + 127) / 128));
}

}  // namespace
}  // namespace longconv::testing
