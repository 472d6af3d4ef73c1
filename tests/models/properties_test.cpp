// What examples cannot say about the models: they never look ahead, a prefix gives a prefix, seeds
// decide everything, precision and padding do what they promise; sizes; refused configurations.

#include "core/base/error.h"
#include "core/runtime/device.h"
#include "models/cost/cost.h"
#include "models/layers/attention.h"
#include "models/weights/model_folder.h"
#include "tests/models/fidelity.h"
#include "tests/models/slopes.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <gmock/gmock.h>

#include <set>

namespace longconv::testing {
namespace {

using models::ModelConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A model with everything switched on: order 3, one attention layer with rotary positions.
std::shared_ptr<models::Model> hybrid(at::ScalarType dtype = at::kDouble) {
  ModelConfig config;
  SmallModel small;
  small.order = 3;
  configure(config, small);
  config.n_layers.set(3);
  config.init_std.set(0.3);  // so that the filters and attention matter
  config.attention.layers.set({1});
  config.attention.n_heads.set(2);
  config.attention.rotary_dim.set(4);
  torch::manual_seed(7);
  auto model = models::build(config, at::TensorOptions(dtype));
  model->eval();
  return model;
}

TEST(Hyena, NeverLooksAhead) {
  const auto model = hybrid();
  const at::Tensor ids = token_ids(2, 16, 0, 16);
  at::Tensor changed = ids.clone();
  changed.narrow(1, 10, 6).add_(3).remainder_(16);
  const at::Tensor difference = (model->logits(ids) - model->logits(changed)).abs();
  const double signal = max_abs(model->logits(ids));
  // The FFT spreads rounding over all positions, hence not exactly zero.
  EXPECT_LE(max_abs(difference.narrow(1, 0, 10)), 1e-12 * signal);
  for (int t = 10; t < 16; ++t) {
    EXPECT_GT(max_abs(difference.select(1, t)), 1e-3 * signal) << "position " << t;
  }
}

TEST(Hyena, OperatorsOutputReachesEveryEarlierInput) {
  for (const std::int64_t order : {2, 3, 4}) {
    SCOPED_TRACE(order);
    const auto mixer = golden_operator(order, /*strong=*/true, at::kDouble);
    const at::Tensor u = det(100, {1, 12, 6}).requires_grad_();
    mixer->forward(u)[0][8].sum().backward();
    const at::Tensor reach = u.grad()[0].abs().amax(1);
    const double signal = max_abs(reach);
    EXPECT_LE(max_abs(reach.narrow(0, 9, 3)), 1e-12 * signal);
    EXPECT_GT(reach.narrow(0, 0, 9).min().item<double>(), 1e-6 * signal);
  }
}

TEST(Hyena, OrderThreeHasTheRightSlopesInBothLayouts) {
  for (const char* layout : {"v_major", "o_major"}) {
    SCOPED_TRACE(layout);
    const auto mixer = golden_operator(3, /*strong=*/false, at::kDouble, layout);
    const at::Tensor u = det(100, {2, 12, 6});
    const at::Tensor g = det(200, {2, 12, 6});
    expect_slopes(*mixer, [&] { return (mixer->forward(u) * g).sum(); });
    EXPECT_TRUE(gradcheck([&](const Tensors& x) { return mixer->forward(x[0]); }, {u}));
  }
}

TEST(Hyena, AHybridHasTheRightSlopes) {
  const auto model = hybrid();
  const at::Tensor ids = token_ids(2, 9, 0, 16);
  expect_slopes(*model, [&] { return next_token_loss(model->logits(ids), ids); });
}

TEST(Hyena, APrefixGivesThePrefixOfTheOutput) {
  const auto model = hybrid();
  const at::Tensor ids = token_ids(2, 16, 0, 16);
  const at::Tensor whole = model->logits(ids);
  for (const std::int64_t length : {1, 2, 9, 15}) {
    const at::Tensor prefix = model->logits(ids.narrow(1, 0, length));
    EXPECT_LE(max_abs(prefix - whole.narrow(1, 0, length)), 1e-12 * max_abs(whole)) << length;
  }
}

TEST(Hyena, BatchRowsDoNotTouch) {
  const auto model = hybrid();
  const at::Tensor ids = token_ids(3, 16, 0, 16);
  const at::Tensor whole = model->logits(ids);
  EXPECT_LE(max_abs(model->logits(ids.narrow(0, 1, 1)) - whole.narrow(0, 1, 1)),
            1e-12 * max_abs(whole));
}

/// A small attention layer, the same weights whatever rotary_dim is.
std::shared_ptr<models::CausalAttention> attention(std::int64_t rotary_dim) {
  ModelConfig config;
  config.d_model.set(8);
  config.attention.n_heads.set(2);
  config.attention.rotary_dim.set(rotary_dim);
  torch::manual_seed(3);
  auto layer = std::make_shared<models::CausalAttention>(config, at::TensorOptions(at::kDouble));
  layer->eval();
  return layer;
}

TEST(Attention, RotaryPositionsTellEarlierInputsApart) {
  const at::Tensor x = det(100, {1, 10, 8});
  const at::Tensor swapped = x.index_select(1, torch::tensor({1, 0, 2, 3, 4, 5, 6, 7, 8, 9}));
  const auto last = [](const auto& layer, const at::Tensor& input) {
    return layer->forward(input).select(1, 9);
  };
  const auto plain = attention(0);
  const double signal = max_abs(last(plain, x));
  EXPECT_LE(max_abs(last(plain, swapped) - last(plain, x)), 1e-12 * signal);
  for (const std::int64_t rotary_dim : {2, 4}) {
    const auto rotary = attention(rotary_dim);
    EXPECT_GT(max_abs(last(rotary, swapped) - last(rotary, x)), 1e-6 * signal);
  }
}

TEST(Attention, RotaryScoresMatchThePlainRotation) {
  // The formula by hand for one head pair: angles p * 10000^(-2i/4), pairs (i, i + 2).
  const auto layer = attention(4);
  const at::Tensor x = det(100, {1, 5, 8});
  const auto p = layer->named_parameters();
  const at::Tensor packed = at::linear(x[0], p["Wqkv.weight"], p["Wqkv.bias"]);  // (5, 24)
  const auto rotated = [](const at::Tensor& v, std::int64_t position) {
    at::Tensor out = v.clone();
    for (int i = 0; i < 2; ++i) {
      const double angle = static_cast<double>(position) * std::pow(10000.0, -i / 2.0);
      out[i] = v[i] * std::cos(angle) - v[i + 2] * std::sin(angle);
      out[i + 2] = v[i] * std::sin(angle) + v[i + 2] * std::cos(angle);
    }
    return out;
  };
  at::Tensor mixed = at::zeros({5, 8}, at::kDouble);
  for (int head = 0; head < 2; ++head) {
    for (int t = 0; t < 5; ++t) {
      const at::Tensor q = rotated(packed[t].narrow(0, 4 * head, 4), t);
      std::vector<at::Tensor> scores;
      for (int s = 0; s <= t; ++s) {
        scores.push_back(q.dot(rotated(packed[s].narrow(0, 8 + 4 * head, 4), s)) / 2.0);
      }
      const at::Tensor weights = at::stack(scores).softmax(0);
      for (int s = 0; s <= t; ++s) {
        mixed[t].narrow(0, 4 * head, 4) += weights[s] * packed[s].narrow(0, 16 + 4 * head, 4);
      }
    }
  }
  const at::Tensor want = at::linear(mixed, p["out_proj.weight"], p["out_proj.bias"]);
  EXPECT_LE(max_abs(layer->forward(x)[0] - want), 1e-12 * max_abs(want));
}

TEST(Hyena, TheSameSeedGivesTheSameWeights) {
  const auto a = models::state_dict(*hybrid());
  const auto b = models::state_dict(*hybrid());
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
}

TEST(Hyena, InitialisationFollowsThePaper) {
  ModelConfig config;
  config.d_model.set(128);
  config.n_layers.set(2);
  config.l_max.set(64);
  config.vocab_size.set(500);
  torch::manual_seed(1);
  const auto model = models::build(config);
  const auto deviation = [&](const std::string& name) {
    return model->named_parameters()[name].square().mean().sqrt().item<double>();
  };
  const std::string layer = "backbone.layers.1.";
  EXPECT_NEAR(deviation("backbone.embeddings.word_embeddings.weight"), 0.02, 0.0006);
  EXPECT_NEAR(deviation(layer + "mixer.in_proj.weight"), 0.02, 0.0006);
  EXPECT_NEAR(deviation(layer + "mixer.out_proj.weight"), 0.01, 0.0003);
  EXPECT_NEAR(deviation(layer + "mlp.fc1.weight"), 0.02, 0.0006);
  EXPECT_NEAR(deviation(layer + "mlp.fc2.weight"), 0.01, 0.0003);
  EXPECT_NEAR(deviation(layer + "mixer.filter_fn.implicit_filter.2.weight"), 0.02, 0.001);
  EXPECT_NEAR(deviation(layer + "mixer.filter_fn.bias"), 1.0, 0.2);
  EXPECT_NEAR(deviation(layer + "mixer.short_filter.weight"), 1.0 / 3.0, 0.02);  // U(+-3^-1/2)
  EXPECT_EQ(deviation(layer + "mixer.in_proj.bias"), 0.0);
  EXPECT_EQ(deviation(layer + "mixer.filter_fn.implicit_filter.0.bias"), 0.0);
  EXPECT_EQ(deviation(layer + "mixer.filter_fn.implicit_filter.1.freq"), 14.0);
}

TEST(Hyena, PaddedRowsLearnFromTheSoftMaxOnly) {
  for (const bool tied : {true, false}) {
    ModelConfig config;
    configure(config, g5());
    config.tie_embeddings.set(tied);
    torch::manual_seed(5);
    const auto model = std::dynamic_pointer_cast<models::LanguageModel>(
        models::build(config, at::TensorOptions(at::kDouble)));
    ASSERT_NE(model, nullptr);
    model->eval();
    ASSERT_EQ(model->vocab_size(), 13);
    ASSERT_EQ(model->padded_vocab_size(), 16);
    const at::Tensor ids = token_ids(2, 16, 0, 13);
    const at::Tensor hidden = model->hidden(ids).detach();
    const at::Tensor logits = model->logits(ids);
    next_token_loss(logits, ids).backward();
    const std::string embedding = "backbone.embeddings.word_embeddings.weight";
    const at::Tensor gradient =
        model->named_parameters()[tied ? embedding : "lm_head.weight"].grad().narrow(0, 13, 3);
    // d loss / d W_v = mean_t p_t(v) h_t for a row that is never a target nor an input.
    const at::Tensor p = logits.detach().softmax(2).narrow(1, 0, 15).narrow(2, 13, 3);
    const at::Tensor want =
        at::einsum("blv,bld->vd", {p, hidden.narrow(1, 0, 15)}) / static_cast<double>(2 * 15);
    EXPECT_LE(max_abs(gradient - want), 1e-12 * max_abs(want));
    EXPECT_GT(max_abs(want), 0.0);
    if (!tied) {
      EXPECT_EQ(max_abs(model->named_parameters()[embedding].grad().narrow(0, 13, 3)), 0.0);
    }
  }
}

TEST(Hyena, Bf16AutocastStaysNearFloat32) {
  for (const bool residual_in_fp32 : {true, false}) {
    SCOPED_TRACE(residual_in_fp32);
    ModelConfig config;
    configure(config, g4(true));
    config.residual_in_fp32.set(residual_in_fp32);
    const auto model = models::build(config);
    fill(*model, language_model_names(2), /*strong=*/true);
    model->eval();
    const at::Tensor ids = token_ids(2, 16, 7, 12);
    const at::Tensor exact = model->logits(ids);
    at::Tensor rounded;
    {
      const runtime::Autocast autocast(at::kCPU, "bf16");
      rounded = model->logits(ids);
    }
    EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
    const double error = max_abs(rounded.to(at::kFloat) - exact) / max_abs(exact);
    // The published bound; a residual stream in bf16 too rounds every block's sum once more.
    EXPECT_LE(error, residual_in_fp32 ? 2e-2 : 4e-2);
    EXPECT_GT(error, 0.0) << "autocast was off";
  }
}

TEST(Hyena, Bf16AutocastTrainsFloat32Parameters) {
  const auto model = golden_model(g4(true), at::kFloat);
  const auto exact = golden_model(g4(true), at::kFloat);
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  next_token_loss(exact->logits(ids), ids).backward();
  at::Tensor loss;
  {
    const runtime::Autocast autocast(at::kCPU, "bf16");
    loss = next_token_loss(model->logits(ids).to(at::kFloat), ids);
  }
  loss.backward();
  for (const auto& parameter : model->named_parameters()) {
    const at::Tensor& gradient = parameter.value().grad();
    ASSERT_TRUE(gradient.defined()) << parameter.key();
    EXPECT_EQ(gradient.scalar_type(), at::kFloat) << parameter.key();
    const at::Tensor want = exact->named_parameters()[parameter.key()].grad();
    // Gradients pass through twice as many roundings as outputs.
    EXPECT_LE(max_abs(gradient - want), 0.1 * max_abs(want)) << parameter.key();
  }
}

TEST(Hyena, DropoutActsInTrainingOnly) {
  ModelConfig config;
  configure(config, g4(false));
  config.embed_dropout.set(0.5);
  const auto model = models::build(config);
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_FALSE(at::equal(model->logits(ids), model->logits(ids)));
  model->eval();
  EXPECT_TRUE(at::equal(model->logits(ids), model->logits(ids)));
}

TEST(Hyena, InputsLongerThanTheFiltersAreRefused) {
  const auto model = golden_model(g4(false), at::kFloat);
  EXPECT_THAT(message_of<ConfigError>([&] { model->logits(token_ids(1, 19, 0, 16)); }),
              AllOf(HasSubstr("19 tokens"), HasSubstr("model.l_max = 18")));
  EXPECT_THROW(golden_operator(2, false, at::kFloat)->forward(at::zeros({1, 17, 6})), ShapeError);
  EXPECT_THROW(model->logits(token_ids(1, 4, 0, 16).to(at::kInt)), ShapeError);
}

TEST(Hyena, FilterParametersHaveTheirOwnOptimiserSettings) {
  ModelConfig config;
  SmallModel small = g4(false);
  small.train_positions = true;
  configure(config, small);
  config.filter.lr.set(1e-3);
  config.filter.lr_positions.set(1e-5);
  const auto model = models::build(config);
  std::set<std::string> names;
  for (const models::ParameterOverride& item : model->overrides()) {
    EXPECT_TRUE(names.insert(item.name).second) << item.name << " twice";
    EXPECT_TRUE(model->named_parameters().contains(item.name)) << item.name;
    EXPECT_EQ(item.weight_decay, 0.0);
    EXPECT_EQ(item.lr, item.name.ends_with("pos_emb.z") ? 1e-5 : 1e-3) << item.name;
  }
  // 7 linear tensors, one frequency, one z a layer; the skip stays with the optimiser.
  EXPECT_EQ(names.size(), 2U * 9U);
  EXPECT_EQ(names.count("backbone.layers.0.mixer.filter_fn.bias"), 0U);

  ModelConfig plain;
  configure(plain, g4(false));
  for (const models::ParameterOverride& item : models::build(plain)->overrides()) {
    EXPECT_FALSE(item.lr.has_value()) << item.name;
    EXPECT_FALSE(item.name.ends_with("pos_emb.z")) << "z is a buffer here";
  }
}

struct SizeCase {
  const char* name;
  std::int64_t layers;
  std::int64_t d_model;
  std::int64_t d_inner;
  std::int64_t order;
  std::int64_t parameters;
};

TEST(Cost, CountsThePublishedSizes) {
  const SizeCase cases[] = {
      {"125M", 12, 768, 3072, 2, 125'306'112},
      {"125M of order 3", 12, 768, 3072, 3, 133'029'120},
      {"125M-slim of order 3", 18, 768, 1536, 3, 137'746'560},
      {"153M", 18, 864, 1728, 2, 153'700'416},
      {"355M", 36, 1024, 2048, 2, 359'519'488},
      {"1.3B", 36, 2048, 4096, 2, 1'320'205'568},
  };
  for (const SizeCase& c : cases) {
    ModelConfig config;
    config.n_layers.set(c.layers);
    config.d_model.set(c.d_model);
    config.d_inner.set(c.d_inner);
    config.order.set(c.order);
    config.l_max.set(2048);
    config.vocab_size.set(50257);
    const std::int64_t parameters = models::cost(config).parameters;
    EXPECT_EQ(parameters, c.parameters);
    record_count(std::string("parameters of Hyena-GPT ") + c.name, c.parameters, parameters);
  }
}

TEST(Cost, FlopsOfATokenAddUp) {
  ModelConfig config;
  config.n_layers.set(3);
  config.d_model.set(64);
  config.d_inner.set(128);
  config.l_max.set(1024);
  config.vocab_size.set(250);
  config.attention.layers.set({2});
  config.attention.n_heads.set(4);
  const models::Cost cost = models::cost(config);
  const double d = 64.0;
  const double hyena = 2 * 3 * d * d + 2 * 3 * d * 3 + 10 * d * 10 + 2 * d * d;
  const double attention = 8 * d * d + 2 * d * 1024;
  const double want = 2 * hyena + attention + 3 * 4 * d * 128 + 2 * d * 256;
  EXPECT_DOUBLE_EQ(cost.forward_flops_per_token(), want);
  EXPECT_DOUBLE_EQ(cost.training_flops_per_token(), 3 * want);
  EXPECT_DOUBLE_EQ(cost.filter_flops_per_pass, 2 * 2.0 * 1024 * (33 * 64 + 2 * 64 * 64 + 64 * 64));
}

TEST(Configs, LanguageModelRecipesParseAndHaveTheirSize) {
  const std::pair<const char*, std::int64_t> cases[] = {{"hyena_125m", 125'306'112},
                                                        {"hyena_153m", 153'700'416},
                                                        {"hyena_355m", 359'519'488},
                                                        {"hyena_1_3b", 1'320'205'568}};
  for (const auto& [name, parameters] : cases) {
    SCOPED_TRACE(name);
    train::RunConfig run;
    config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/lm/" + name + ".toml");
    EXPECT_EQ(models::cost(run.model).parameters, parameters);
    EXPECT_EQ(run.data.seq_len(), run.model.l_max());
    EXPECT_EQ(run.data.batch_size() * run.data.seq_len(), 524'288);
    EXPECT_EQ(run.data.batch_size() % run.data.micro_batch(), 0);
    EXPECT_DOUBLE_EQ(run.schedule.min_lr(), 0.1 * run.optim.lr());
    EXPECT_EQ(run.schedule.warmup_steps() * 100, run.schedule.max_steps());
  }
}

/// Builds from TOML lines below [model] and returns the error's text.
std::string refused(const std::string& lines) {
  ModelConfig config;
  config::parse(config, "d_model = 8\nl_max = 16\nvocab_size = 12\n" + lines, "m.toml");
  return message_of<ConfigError>([&] { models::build(config); });
}

TEST(Configs, ImpossibleModelsAreErrorsAtTheKeysLine) {
  EXPECT_THAT(refused("[filter]\nemb_dim = 6\n"),
              AllOf(HasSubstr("m.toml:5:"), HasSubstr("filter.emb_dim"), HasSubstr("odd"),
                    HasSubstr("got 6")));
  EXPECT_THAT(refused("[filter]\ntarget = 1.5\n"), HasSubstr("filter.target"));
  EXPECT_THAT(
      refused("n_layers = 2\n[attention]\nlayers = [2]\nn_heads = 2\n"),
      AllOf(HasSubstr("m.toml:6:"), HasSubstr("attention.layers"), HasSubstr("from 0 to 1")));
  EXPECT_THAT(refused("[attention]\nlayers = [1, 1]\nn_heads = 2\n"), HasSubstr("listed twice"));
  EXPECT_THAT(refused("[attention]\nlayers = [1]\nn_heads = 3\n"),
              AllOf(HasSubstr("attention.n_heads"), HasSubstr("divisor")));
  EXPECT_THAT(refused("[attention]\nlayers = [1]\nn_heads = 2\nrotary_dim = 6\n"),
              AllOf(HasSubstr("attention.rotary_dim"), HasSubstr("at most 4")));
  EXPECT_THAT(refused("family = \"heyna\"\n"),
              AllOf(HasSubstr("family"), HasSubstr("heyna"), HasSubstr("hyena")));
  ModelConfig unset;
  EXPECT_THROW(models::build(unset), ConfigError);
  unset.vocab_size.set(10);
  EXPECT_THROW(models::build(unset), ConfigError) << "l_max is not set";
}

TEST(Registry, KnowsItsFamilies) {
  EXPECT_THAT(models::families(),
              ::testing::ElementsAre("hyena", "hyena_dna", "long_conv", "m2_bert", "h3_conv"));
}

}  // namespace
}  // namespace longconv::testing
