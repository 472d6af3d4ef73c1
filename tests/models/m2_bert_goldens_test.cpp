// The published numbers of M2-BERT (models.md 8.4), forward and backward.

#include "tests/models/goldens.h"
#include "tests/models/small_m2_bert.h"

namespace longconv::testing {
namespace {

using M2Goldens = Goldens;

INSTANTIATE_TEST_SUITE_P(EveryPrecision, M2Goldens, ::testing::ValuesIn(kPrecisions),
                         [](const auto& test) { return std::string(test.param.name); });

const std::string kLayer0 = "bert.encoder.layer.0.";

at::Tensor m2_ids() { return token_ids(2, 12, 1, 16); }

struct MixerCase {
  const char* name;
  bool strong;
  std::int64_t length;
  Golden golden;
};

const MixerCase kMixers[] = {
    {"G6a",
     false,
     12,
     {{"-.0149252252672", ".248064668022", "-.0917872827665"},
      ".134949216807",
      "6.7921072973",
      "13.3844636454"}},
    {"G6b",
     false,
     9,
     {{"-.0129283230047", ".247782374604", "-.0932288815185"},
      ".213794236926",
      "5.07936035521",
      "8.90761542321"}},
    {"G6s",
     true,
     12,
     {{"3.92017048583", "-3.21541701591", "2.78618248372"},
      "1.89558469894",
      "14.2437426002",
      "1369.40143907"}},
};

TEST_P(M2Goldens, SequenceMixers) {
  for (const MixerCase& c : kMixers) {
    SCOPED_TRACE(c.name);
    const auto model = golden_m2_bert(c.strong, options());
    const auto mixer = submodule<models::SequenceMixer>(*model, kLayer0 + "attention");
    const at::Tensor u = det(100, {2, c.length, 8}, options());
    const at::Tensor y = mixer->forward(u);
    EXPECT_EQ(y.scalar_type(), product_type());
    EXPECT_TRUE(agrees(c.name, y, c.golden));
    remove_filters(*mixer);
    expect_sensitive(y, mixer->forward(u), c.golden, c.strong);
  }
}

/// The mixer of layer 0 with other settings: the same tensors under the same tids.
std::shared_ptr<models::SequenceMixer> causal_mixer(const at::TensorOptions& options) {
  models::ModelConfig config;
  configure_m2_bert(config);
  config.filter.bidirectional.set(false);
  config.residual_long_conv.set(false);
  auto mixer = std::make_shared<models::SequenceMixer>(config, options);
  const at::NoGradGuard no_grad;
  const auto whole = golden_m2_bert(false, options)->named_parameters();
  for (auto& parameter : mixer->named_parameters()) {
    if (!parameter.key().ends_with("pos_emb.z")) {
      parameter->copy_(whole[kLayer0 + "attention." + parameter.key()]);
    }
  }
  return mixer;
}

TEST_P(M2Goldens, CausalSequenceMixerWithoutResidualConvolution) {
  const Golden golden = {{".0988895525143", ".0971001260438", ".091362497995"},
                         "-.0673035111558",
                         "6.75022860672",
                         ".934198089986"};
  const auto mixer = causal_mixer(options());
  const at::Tensor u = det(100, {2, 12, 8}, options());
  const at::Tensor y = mixer->forward(u);
  EXPECT_TRUE(agrees("G6c", y, golden));
  remove_filters(*mixer);
  expect_sensitive(y, mixer->forward(u), golden, /*strong=*/false);
}

TEST_P(M2Goldens, DimensionMixer) {
  const Golden golden = {{"-.926818853775", ".309185807605", "1.10799940513"},
                         ".606402790614",
                         "-2.23789377609",
                         "209.12311346"};
  const auto model = golden_m2_bert(false, options());
  const auto mixer = submodule<models::DimensionMixer>(*model, kLayer0 + "mlp");
  const at::Tensor x = det(100, {2, 12, 8}, options());
  const at::Tensor y = mixer->forward(x);
  EXPECT_TRUE(agrees("G6d dimension mixer", y, golden));
  const at::NoGradGuard no_grad;
  mixer->named_parameters()["wo.weight"].zero_();
  const double bound = std::max(kFloat32, tolerance());
  EXPECT_FALSE(matches(at::zeros_like(y), golden, bound)) << "zeros pass";
  EXPECT_FALSE(matches(mixer->forward(x), golden, bound)) << "the norm alone passes";
}

TEST_P(M2Goldens, HiddenStates) {
  const Golden golden = {{"-1.42815711026", "1.30413346368", "-1.10821183879"},
                         ".592783173399",
                         "4.84754904937",
                         "178.15931771"};
  const auto model = golden_m2_bert(false, options());
  const at::Tensor ids = m2_ids().to(GetParam().device);
  const at::Tensor hidden = model->hidden(ids);
  EXPECT_TRUE(agrees("G7: hidden states", hidden, golden));
  remove_filters(*model);
  expect_sensitive(hidden, model->hidden(ids), golden, /*strong=*/false);
}

struct LogitsCase {
  const char* name;
  bool strong;
  std::int64_t length;
  Golden golden;
  Figure loss;  // empty for none
};

const LogitsCase kLogits[] = {
    {"G7",
     false,
     12,
     {{".275481504969", "-.351836339912", ".0513576823407"},
      ".272599314022",
      "20.9064589636",
      "298.312631229"},
     "3.21286255882"},
    {"G7, first 9 ids",
     false,
     9,
     {{".275094767202", "-.351589759477", ".0512593681261"},
      "1.22425654729",
      "16.5178823481",
      "228.737743389"},
     {}},
    {"G7s",
     true,
     12,
     {{".56471431554", "-.618765932585", ".287205977647"},
      ".958418972699",
      "19.757388378",
      "185.894896721"},
     "2.8402889787"},
};

TEST_P(M2Goldens, MaskedLanguageModels) {
  for (const LogitsCase& c : kLogits) {
    SCOPED_TRACE(c.name);
    const auto model = golden_m2_bert(c.strong, options());
    const at::Tensor ids = m2_ids().narrow(1, 0, c.length).to(GetParam().device);
    const at::Tensor logits = model->logits(ids);
    ASSERT_EQ(logits.size(2), 16);
    EXPECT_TRUE(agrees(fmt::format("{}: logits", c.name), logits, c.golden));
    if (c.loss.value > 0.0) {
      expect_number(fmt::format("{}: loss", c.name),
                    masked_loss(logits, m2_labels(ids)).item<double>(), c.loss);
    }
    remove_filters(*model);
    expect_sensitive(logits, model->logits(ids), c.golden, c.strong);
  }
}

struct LossGradients {
  bool strong;
  Gradients gradients;
};

const std::string kFilter = kLayer0 + "attention.filter_fn.";

const LossGradients kLossGradients[] = {
    {false,
     {{"bert.embeddings.word_embeddings.weight", {kAboutZero, "22.5663316"}},
      {"bert.embeddings.position_embeddings.weight", {kAboutZero, "25.27522697"}},
      {kFilter + "bias", {"-.005262124361", ".0001898573575"}},
      {kFilter + "pos_emb.z", {"-.6406697341", ".8753908737"}},
      {kFilter + "implicit_filter.0.weight", {"-2.946074662", "6.227281741"}},
      {kFilter + "implicit_filter.1.freq", {"-.01368668732", ".04736428966"}},
      {kLayer0 + "attention.filter_fn2.implicit_filter_rev.6.weight",
       {"-1.076901457", "9.003214563"}},
      {kLayer0 + "attention.short_filter.weight", {"-.4458122643", ".1205307817"}},
      {kLayer0 + "mlp.gated_layers.weight", {".004159172991", "5.056744919e-06"}},
      {"bert.encoder.layer.1.mlp.wo.weight", {"-.01159678629", ".001525359796"}},
      {"cls.predictions.decoder.bias", {kAboutZero, ".1805123334"}}}},
    {true,
     {{"bert.embeddings.word_embeddings.weight", {kAboutZero, "1.120945084"}},
      {kFilter + "bias", {".04875112684", ".002155089568"}},
      {kFilter + "pos_emb.z", {"2.9208466", "2.558725297"}},
      {kFilter + "implicit_filter.0.weight", {"1.098811763", "11.32763228"}},
      {kFilter + "implicit_filter.1.freq", {".2580999763", ".01912476728"}},
      {kLayer0 + "attention.filter_fn2.implicit_filter_rev.6.weight",
       {"-.02386790003", ".001675142401"}},
      {kLayer0 + "attention.short_filter.weight", {"-.337872937", ".0630104064"}}}},
};

TEST_P(M2Goldens, GradientsOfTheMaskedLoss) {
  for (const LossGradients& c : kLossGradients) {
    SCOPED_TRACE(c.strong ? "G7s" : "G7");
    const auto model = golden_m2_bert(c.strong, options());
    const at::Tensor ids = m2_ids().to(GetParam().device);
    masked_loss(model->logits(ids), m2_labels(ids)).backward();
    // Two layers without a way past their mixers: LibTorch's own bf16 is at 6e-2 on the CPU.
    expect_gradients(c.strong ? "G7s: gradients" : "G7: gradients", *model, "", c.gradients, 1e-1);
    // No tensor is left out, and z is trained in every filter.
    EXPECT_EQ(model->named_parameters().size(), m2_bert_names().size() + 2 * 2 * 2);
    for (const auto& parameter : model->named_parameters()) {
      ASSERT_TRUE(parameter->grad().defined()) << parameter.key();
      EXPECT_GT(parameter->grad().abs().max().item<double>(), 0.0) << parameter.key();
    }
  }
}

}  // namespace
}  // namespace longconv::testing
