// What examples cannot say about M2-BERT: every position sees every other, padding is part of the
// sequence, the variants' gradients, sizes, how it starts, and what it refuses.

#include "core/base/error.h"
#include "core/runtime/device.h"
#include "models/cost/cost.h"
#include "models/layers/filter_store.h"
#include "models/weights/model_folder.h"
#include "tests/models/fidelity.h"
#include "tests/models/slopes.h"
#include "tests/models/small_m2_bert.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <gmock/gmock.h>

#include <set>

namespace longconv::testing {
namespace {

using models::ModelConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kLayer1 = "bert.encoder.layer.1.";

at::Tensor m2_ids() { return token_ids(2, 12, 1, 16); }

TEST(M2Bert, EveryPositionSeesEveryOther) {
  const auto model = golden_m2_bert(true, at::kDouble);
  const auto mixer = submodule<models::SequenceMixer>(*model, kLayer1 + "attention");
  for (const std::int64_t t : {0, 5, 11}) {
    const at::Tensor u = det(100, {1, 12, 8}).requires_grad_();
    mixer->forward(u)[0][t].sum().backward();
    const at::Tensor reach = u.grad()[0].abs().amax(1);
    EXPECT_GT(reach.min().item<double>(), 1e-6 * max_abs(reach)) << t;
  }
}

TEST(M2Bert, PaddingIsPartOfTheSequence) {
  const auto model = golden_m2_bert(false, at::kDouble);
  const at::Tensor ids = m2_ids().narrow(1, 0, 8);
  const at::Tensor padded = at::constant_pad_nd(ids, {0, 4});
  const at::Tensor difference = model->logits(padded).narrow(1, 0, 8) - model->logits(ids);
  EXPECT_GT(max_abs(difference), 1e-3 * max_abs(model->logits(ids)));
}

/// A golden model with other settings and random weights that matter.
std::shared_ptr<models::Model> variant(const std::function<void(ModelConfig&)>& change,
                                       at::ScalarType dtype = at::kDouble) {
  ModelConfig config;
  configure_m2_bert(config);
  config.init_std.set(0.3);
  change(config);
  torch::manual_seed(3);
  auto model = models::build(config, at::TensorOptions(dtype));
  model->eval();
  return model;
}

TEST(M2Bert, EveryVariantHasTheRightSlopes) {
  const std::pair<const char*, std::function<void(ModelConfig&)>> variants[] = {
      {"as published", [](ModelConfig&) {}},
      {"norm before the mixer, untied",
       [](ModelConfig& c) {
         c.mixer_norm.set(true);
         c.tie_embeddings.set(false);
       }},
      {"one direction, one convolution",
       [](ModelConfig& c) {
         c.filter.bidirectional.set(false);
         c.residual_long_conv.set(false);
       }},
      {"without gate", [](ModelConfig& c) { c.mlp.glu.set(false); }},
      {"dense", [](ModelConfig& c) { c.mlp.blocks.set(0); }},
      {"blocks that do not divide",
       [](ModelConfig& c) {
         c.mlp.blocks.set(3);
         c.d_inner.set(13);
       }},
  };
  const at::Tensor ids = m2_ids();
  for (const auto& [name, change] : variants) {
    SCOPED_TRACE(name);
    const auto model = variant(change);
    expect_slopes(*model, [&] { return masked_loss(model->logits(ids), m2_labels(ids)); });
  }
}

TEST(M2Bert, LookingUpThePaddingTrainsNothing) {
  const auto model = variant([](ModelConfig& c) { c.tie_embeddings.set(false); });
  at::Tensor ids = m2_ids();
  ids.narrow(1, 8, 4).zero_();
  model->logits(ids).sum().backward();
  const std::string words = "bert.embeddings.word_embeddings.weight";
  const at::Tensor gradient = model->named_parameters()[words].grad();
  EXPECT_EQ(max_abs(gradient[0]), 0.0);
  EXPECT_GT(max_abs(gradient[1]), 0.0);
  // Tied, the head still trains that row.
  const auto tied = variant([](ModelConfig&) {});
  tied->logits(ids).sum().backward();
  EXPECT_GT(max_abs(tied->named_parameters()[words].grad()[0]), 0.0);
}

TEST(M2Bert, SharedFiltersGiveTheSameGradients) {
  const auto model = golden_m2_bert(true, at::kDouble);
  const at::Tensor ids = m2_ids();
  const auto pass = [&](std::int64_t row) {
    const at::Tensor one = ids.narrow(0, row, 1);
    masked_loss(model->logits(one), m2_labels(one)).backward();
  };
  pass(0);
  pass(1);
  std::map<std::string, at::Tensor> want;
  for (const auto& parameter : model->named_parameters()) {
    want[parameter.key()] = parameter->grad().clone();
  }
  model->zero_grad();
  {
    models::SharedFilters shared(*model);
    pass(0);
    pass(1);
    shared.backward();
  }
  for (const auto& parameter : model->named_parameters()) {
    const at::Tensor& expected = want.at(parameter.key());
    EXPECT_LE(max_abs(parameter->grad() - expected), 1e-12 * max_abs(expected)) << parameter.key();
  }
}

TEST(M2Bert, Bf16AutocastStaysNearFloat32) {
  for (const bool strong : {false, true}) {
    SCOPED_TRACE(strong ? "G7s" : "G7");
    const auto model = golden_m2_bert(strong, at::kFloat);
    const at::Tensor ids = m2_ids();
    const at::Tensor exact = model->logits(ids);
    at::Tensor rounded;
    {
      const runtime::Autocast autocast(at::kCPU, "bf16");
      rounded = model->logits(ids);
    }
    EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
    // The published bound, of the root mean square (the largest of G7's 384 errors is 2.3e-2 of the
    // largest logit); projections three times as large pass rounding on three times as well.
    const double error = ((rounded.to(at::kFloat) - exact).norm() / exact.norm()).item<double>();
    EXPECT_LE(error, strong ? 4e-2 : 2e-2);
    EXPECT_GT(error, 0.0) << "autocast was off";
    masked_loss(rounded.to(at::kFloat), m2_labels(ids)).backward();
    for (const auto& parameter : model->named_parameters()) {
      EXPECT_EQ(parameter->grad().scalar_type(), at::kFloat) << parameter.key();
    }
  }
}

TEST(M2Bert, StartsAsPublished) {
  const auto started = [](bool same_layers) {
    ModelConfig config;
    configure_m2_bert(config);
    config.d_model.set(128);
    config.d_inner.set(512);
    config.l_max.set(32);
    config.vocab_size.set(500);
    config.same_layers.set(same_layers);
    torch::manual_seed(1);
    return models::build(config);
  };
  const auto model = started(false);
  const auto parameters = model->named_parameters();
  const auto deviation = [&](const std::string& name) {
    return parameters[name].square().mean().sqrt().item<double>();
  };
  const std::string mixer = kLayer1 + "attention.";
  EXPECT_NEAR(deviation("bert.embeddings.word_embeddings.weight"), 0.02, 0.0006);
  EXPECT_EQ(max_abs(parameters["bert.embeddings.word_embeddings.weight"][0]), 0.0) << "[PAD]";
  EXPECT_NEAR(deviation("bert.embeddings.position_embeddings.weight"), 0.02, 0.001);
  EXPECT_NEAR(deviation(mixer + "in_linear.weight"), 0.02, 0.0006);
  EXPECT_NEAR(deviation(mixer + "out_linear.weight"), 0.02, 0.0006);
  EXPECT_EQ(deviation(mixer + "in_linear.bias"), 0.0);
  EXPECT_NEAR(deviation(mixer + "filter_fn.implicit_filter_rev.6.weight"), 0.02, 0.002);
  EXPECT_EQ(deviation(mixer + "filter_fn.implicit_filter.1.freq"), 10.0);
  EXPECT_NEAR(deviation(mixer + "filter_fn2.bias"), 1.0, 0.2);
  EXPECT_NEAR(deviation(mixer + "short_filter.weight"), 1.0 / 3.0, 0.02);  // U(+-3^-1/2)
  EXPECT_NEAR(deviation(kLayer1 + "mlp.gated_layers.weight"), std::sqrt(4.0 / 128.0 / 3.0), 0.002);
  EXPECT_NEAR(max_abs(parameters[kLayer1 + "mlp.wo.weight"]), std::sqrt(4.0 / 512.0), 1e-4);
  EXPECT_NEAR(max_abs(parameters[kLayer1 + "mlp.wo.bias"]), 1.0 / std::sqrt(128.0), 4e-3);
  EXPECT_NEAR(deviation("cls.predictions.transform.dense.weight"), 0.02, 0.0006);
  EXPECT_EQ(deviation("cls.predictions.decoder.bias"), 0.0);

  const auto same_in_all = [](const models::Model& m, const std::string& name) {
    const auto all = m.named_parameters();
    return at::equal(all["bert.encoder.layer.0." + name], all[kLayer1 + name]);
  };
  const auto copied = started(true);
  for (const char* name :
       {"mlp.gated_layers.weight", "mlp.wo.weight", "mlp.wo.bias", "attention.short_filter.weight",
        "attention.short_filter.bias", "attention.filter_fn.bias", "attention.filter_fn2.bias"}) {
    EXPECT_FALSE(same_in_all(*model, name)) << name;
    EXPECT_TRUE(same_in_all(*copied, name)) << name;
  }
  for (const char* name : {"attention.in_linear.weight", "attention.out_linear.weight",
                           "attention.filter_fn.implicit_filter.0.weight",
                           "attention.filter_fn2.implicit_filter_rev.6.weight"}) {
    EXPECT_FALSE(same_in_all(*copied, name)) << name;
  }
}

TEST(M2Bert, FiltersTrainLikeEverythingElseUnlessTold) {
  ModelConfig config;
  configure_m2_bert(config);
  EXPECT_TRUE(models::build(config)->overrides().empty());
  config.filter.lr.set(1e-3);
  config.filter.weight_decay.set(0.1);
  config.filter.lr_positions.set(1e-5);
  const auto model = models::build(config);
  std::set<std::string> names;
  for (const models::ParameterOverride& item : model->overrides()) {
    EXPECT_TRUE(names.insert(item.name).second) << item.name << " twice";
    EXPECT_TRUE(model->named_parameters().contains(item.name)) << item.name;
    const bool positions = item.name.ends_with("pos_emb.z");
    EXPECT_EQ(item.lr, positions ? 1e-5 : 1e-3) << item.name;
    EXPECT_EQ(item.weight_decay, positions ? 0.0 : 0.1) << item.name;
  }
  // Two filters a layer: twice 7 linear tensors, one frequency, one z.
  EXPECT_EQ(names.size(), 2U * 2U * 16U);
}

TEST(M2Bert, WeightsComeBackWithEveryPublishedName) {
  const TempFolder folder;
  const auto model = golden_m2_bert(true, at::kFloat);
  ModelConfig config;
  configure_m2_bert(config);
  models::write_model_folder(folder / "m", config, *model, {});
  const models::OpenedModel opened = models::open_model_folder(folder / "m");
  EXPECT_TRUE(at::equal(opened.model->logits(m2_ids()), model->logits(m2_ids())));
  std::set<std::string> aliases;
  for (const models::Alias& alias : models::all_aliases(*model)) {
    EXPECT_TRUE(aliases.insert(alias.alias).second) << alias.alias;
    EXPECT_TRUE(model->named_parameters().contains(alias.name)) << alias.name;
  }
  const std::string filter = kLayer1 + "attention.filter_fn2.";
  for (const char* name :
       {"implicit_filter.3.freq", "implicit_filter.5.freq", "implicit_filter_rev.1.freq",
        "implicit_filter_rev.3.freq", "implicit_filter_rev.5.freq"}) {
    EXPECT_EQ(aliases.count(filter + name), 1U) << name;
  }
  EXPECT_EQ(aliases.count("cls.predictions.decoder.weight"), 1U);
  EXPECT_EQ(aliases.size(), 2U * 2U * 5U + 1U);
}

TEST(M2Bert, InputsThatDoNotFitAreRefused) {
  const auto model = golden_m2_bert(false, at::kFloat);
  EXPECT_THAT(message_of<ConfigError>([&] { model->logits(token_ids(1, 13, 0, 16)); }),
              AllOf(HasSubstr("13 tokens"), HasSubstr("model.l_max = 12")));
  EXPECT_THROW(model->logits(m2_ids().to(at::kInt)), ShapeError);
  const auto mixer = submodule<models::SequenceMixer>(*model, kLayer1 + "attention");
  EXPECT_THROW(mixer->forward(at::zeros({1, 13, 8})), ShapeError);
  EXPECT_THROW(mixer->forward(at::zeros({1, 12, 7})), ShapeError);
}

struct SizeCase {
  const char* name;
  std::int64_t d_model;
  std::int64_t length;
  bool mixer_norm;
  std::int64_t parameters;
};

ModelConfig& published(ModelConfig& config, const SizeCase& c) {
  config.family.set("m2_bert");
  config.head.kind.set("mlm");
  config.d_model.set(c.d_model);
  config.n_layers.set(12);
  config.l_max.set(c.length);
  config.vocab_size.set(30522);
  config.mixer_norm.set(c.mixer_norm);
  config.filter.emb_dim.set(5);
  config.filter.width.set(128);
  config.filter.bidirectional.set(true);
  return config;
}

TEST(M2Bert, HasThePublishedSizes) {
  const SizeCase cases[] = {
      {"80M", 768, 128, false, 80'267'328},     {"80M legacy", 768, 128, true, 80'285'760},
      {"110M", 960, 128, false, 115'583'616},   {"260M", 1536, 128, false, 259'133'760},
      {"341M", 1792, 128, false, 341'038'144},  {"80M 2k", 768, 2048, false, 81'972'288},
      {"80M 8k", 768, 8192, false, 87'428'160}, {"80M 32k", 768, 32768, false, 109'251'648},
  };
  for (const SizeCase& c : cases) {
    ModelConfig config;
    const std::int64_t parameters = models::cost(published(config, c)).parameters;
    EXPECT_EQ(parameters, c.parameters) << c.name;
    record_count(std::string("parameters of M2-BERT ") + c.name, c.parameters, parameters);
  }
}

TEST(M2Bert, RecipesParseAndHaveTheirSize) {
  const std::pair<const char*, std::int64_t> recipes[] = {
      {"80m", 80'267'328}, {"110m", 115'583'616}, {"260m", 259'133'760}, {"341m", 341'038'144}};
  for (const auto& [name, parameters] : recipes) {
    SCOPED_TRACE(name);
    train::RunConfig run;
    config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/mlm/m2_bert_" + name + ".toml");
    EXPECT_EQ(models::cost(run.model).parameters, parameters);
    EXPECT_EQ(run.data.seq_len(), run.model.l_max());
    EXPECT_EQ(run.data.batch_size() * run.schedule.max_steps(), 286'720'000);
    EXPECT_EQ(run.data.batch_size() % run.data.micro_batch(), 0);
    EXPECT_DOUBLE_EQ(static_cast<double>(run.schedule.warmup_steps()),
                     0.06 * static_cast<double>(run.schedule.max_steps()));
  }
}

TEST(M2Bert, RecipesOfLongInputsParseAndHaveTheirSize) {
  struct Long {
    const char* name;
    std::int64_t length;
    std::int64_t parameters;
    bool starts_from_another;
  };
  const Long recipes[] = {{"80m_2k", 2'048, 81'972'288, false},
                          {"80m_8k", 8'192, 87'428'160, false},
                          {"80m_32k", 32'768, 109'251'648, true},
                          {"341m_2k", 2'048, 344'709'184, false}};
  for (const Long& c : recipes) {
    SCOPED_TRACE(c.name);
    train::RunConfig run;
    config::load(run,
                 std::string(LONGCONV_SOURCE_DIR) + "/configs/mlm/m2_bert_" + c.name + ".toml");
    EXPECT_EQ(models::cost(run.model).parameters, c.parameters);
    EXPECT_EQ(run.model.l_max(), c.length);
    EXPECT_EQ(run.data.seq_len(), c.length);
    EXPECT_FALSE(run.model.mixer_norm());
    EXPECT_EQ(run.data.batch_size() % run.data.micro_batch(), 0);
    EXPECT_EQ(run.data.batch_size() * c.length, 4'096 * 128) << "tokens a step";
    EXPECT_EQ(run.schedule.max_steps(), c.starts_from_another ? 7'000 : 70'000);
    EXPECT_EQ(100 * run.schedule.warmup_steps(), 6 * run.schedule.max_steps());
    EXPECT_EQ(!run.init.from().empty(), c.starts_from_another);
  }
}

TEST(M2Bert, FlopsOfATokenAddUp) {
  ModelConfig config;
  const models::Cost cost = models::cost(published(config, {"80M", 768, 128, false, 0}));
  const double d = 768.0;
  const double layer = 6 * d * d + 6 * d * 3 + 2 * 10 * d * 7 + 2 * d * d + 2 * d * 3072 * 3 / 4;
  EXPECT_DOUBLE_EQ(cost.forward_flops_per_token(), 12 * layer + 2 * d * d + 2 * d * 30528);
  EXPECT_DOUBLE_EQ(cost.filter_flops_per_pass,
                   12 * 4 * 2.0 * 128 * (5 * 128 + 2 * 128 * 128 + 128 * d));
}

// ---- pooler and classifier ---------------------------------------------------------------------

std::shared_ptr<models::Model> m2_classifier(const char* kind, const char* pool,
                                             std::int64_t outputs) {
  return variant([&](ModelConfig& config) {
    config.head.kind.set(kind);
    config.head.pool.set(pool);
    config.head.n_classes.set(outputs);
  });
}

TEST(M2BertClassifier, ReadsThePooledFirstTokenOrTheMeanBeforeThePadding) {
  const at::Tensor ids = m2_ids();
  const at::Tensor types = at::zeros_like(ids);
  types.narrow(1, 6, 4).fill_(1);
  const at::Tensor lengths = torch::tensor({12, 7}, at::kLong);
  const at::NoGradGuard no_grad;
  for (const char* pool : {"first", "mean"}) {
    SCOPED_TRACE(pool);
    const auto model = m2_classifier("classifier", pool, 3);
    const auto p = model->named_parameters();
    const models::Input input(ids, lengths, types);
    const at::Tensor hidden = model->hidden(input);
    EXPECT_GT(max_abs(hidden - model->hidden(ids)), 1e-6) << "types do nothing";
    const at::Tensor logits = model->logits(input);
    const at::Tensor pooled = model->pooled(input);
    ASSERT_EQ(logits.sizes(), at::IntArrayRef({2, 3}));
    for (std::int64_t b = 0; b < 2; ++b) {
      const std::int64_t length = lengths[b].item<std::int64_t>();
      at::Tensor read = at::zeros({8}, at::kDouble);
      for (std::int64_t t = 0; t < length; ++t) read += hidden[b][t] / static_cast<double>(length);
      if (std::string(pool) == "first") read = hidden[b][0];
      const at::Tensor want =
          (p["bert.pooler.dense.weight"].matmul(read) + p["bert.pooler.dense.bias"]).tanh();
      EXPECT_LT(max_abs(pooled[b] - want), 1e-12);
      const at::Tensor scores = p["classifier.weight"].matmul(want) + p["classifier.bias"];
      EXPECT_LT(max_abs(logits[b] - scores), 1e-12);
      EXPECT_GT(max_abs(scores), 1e-3);
    }
  }
}

TEST(M2BertClassifier, EveryGradientIsTheSlope) {
  const at::Tensor ids = m2_ids();
  for (const char* kind : {"classifier", "regressor"}) {
    const auto model = m2_classifier(kind, "mean", 2);
    const at::Tensor g = det(200, at::IntArrayRef{2, 2});
    expect_slopes(*model, [&] {
      return (model->logits(models::Input(ids, torch::tensor({12, 5}, at::kLong))) * g).sum();
    });
  }
}

TEST(M2BertClassifier, HasThePublishedNamesAndSize) {
  train::RunConfig run;
  config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/glue/mnli.toml");
  constexpr std::int64_t kMasked = 80'285'760;  // m2-bert-80M, its head included
  constexpr std::int64_t kHead = 768 * 768 + 768 + 2 * 768 + 30'528;
  EXPECT_EQ(models::cost(run.model).parameters,
            kMasked - kHead + (768 * 768 + 768) + (3 * 768 + 3));
  const auto tensors = models::state_dict(*m2_classifier("classifier", "first", 3));
  for (const char* name : {"bert.pooler.dense.weight", "bert.pooler.dense.bias",
                           "classifier.weight", "classifier.bias"}) {
    EXPECT_EQ(tensors.count(name), 1U) << name;
  }
  EXPECT_EQ(tensors.count("cls.predictions.decoder.bias"), 0U);
}

TEST(M2BertClassifier, DropsOutOnlyInTraining) {
  const auto model = m2_classifier("classifier", "first", 3);
  const at::Tensor ids = m2_ids();
  EXPECT_TRUE(at::equal(model->logits(ids), model->logits(ids)));
  model->train();
  torch::manual_seed(1);
  EXPECT_FALSE(at::equal(model->logits(ids), model->logits(ids)));
}

}  // namespace
}  // namespace longconv::testing
