// The published numbers of the Hyena operator, attention and the language models (models.md 8.2,
// 8.3, 8.6), forward, backward and four steps of AdamW.

#include "tests/models/goldens.h"

#include "models/layers/attention.h"
#include "models/layers/hyena_filter.h"
#include "tests/support/implicit_filter_golden.h"

#include <torch/optim/adamw.h>

#include <cmath>
#include <map>

namespace longconv::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(EveryPrecision, Goldens, ::testing::ValuesIn(kPrecisions),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(Goldens, ImplicitFilters) {
  struct FilterCase {
    const char* name;
    double shift;
    bool modulate;
    const Golden& golden;
  };
  const FilterCase cases[] = {{"G1: h", 0.0, true, kG1},
                              {"G1: h, shift .05", 0.05, true, kG1Shifted},
                              {"G1: h, no modulation", 0.0, false, kG1Unmodulated}};
  for (const FilterCase& c : cases) {
    SCOPED_TRACE(c.name);
    models::ModelConfig config;
    config.filter.emb_dim.set(kG1EmbDim);
    config.filter.width.set(kG1Width);
    config.filter.sine_freq.set(kG1SineFreq);
    config.filter.shift.set(c.shift);
    config.filter.modulate.set(c.modulate);
    models::HyenaFilter filter(config.filter, kG1Channels, /*count=*/1, kG1LMax, options());
    const std::string mlp = "implicit_filter.";
    fill(filter,
         {"bias", mlp + "0.weight", mlp + "0.bias", mlp + "2.weight", mlp + "2.bias",
          mlp + "4.weight", mlp + "4.bias", mlp + "6.weight"},
         false);
    EXPECT_TRUE(agrees("G1: z", filter.named_parameters()["pos_emb.z"], kG1Features));
    const at::Tensor h = filter.filters(kG1Length).at(0).k.t();
    EXPECT_TRUE(agrees(c.name, h, c.golden));
    EXPECT_FALSE(matches(at::zeros_like(h), c.golden, std::max(kFloat32, tolerance()))) << "zeros";
  }
}

struct OperatorCase {
  std::int64_t order;
  const char* layout;
  bool strong;
  std::int64_t length;
  Golden golden;
};

const OperatorCase kOperators[] = {
    {2,
     "v_major",
     false,
     12,
     {{".0982272154146", ".0966067797283", ".0840469687785"},
      "-.0148744966099",
      "8.24366137608",
      ".719377507659"}},
    {2,
     "v_major",
     false,
     16,
     {{".0982272154146", ".0966067797283", ".0840469687785"},
      "-.0145428016972",
      "10.9922103464",
      ".960057033907"}},
    {2,
     "o_major",
     true,
     12,
     {{"-1.53644149124", "-.813362878299", "2.81896412214"},
      "-.965383533565",
      "7.02968257925",
      "84.5471442497"}},
    {3,
     "o_major",
     false,
     12,
     {{".0990848410029", ".097270558908", ".082386764769"},
      "-.0141849376609",
      "8.2434898449",
      ".71876217608"}},
    {3,
     "v_major",
     false,
     12,
     {{".0991251239706", ".097306995404", ".0823024262686"},
      "-.0140852615485",
      "8.24348830677",
      ".718660438322"}},
    {3,
     "o_major",
     true,
     12,
     {{"-.10885127346", "-.370733287129", ".856188455203"},
      ".150132766525",
      "9.6836255814",
      "7.74892777254"}},
    {3,
     "v_major",
     true,
     12,
     {{".470119582663", ".485490125374", "-.758046018043"},
      ".0682274076476",
      "8.01378903916",
      "12.5399527244"}},
};

TEST_P(Goldens, OperatorsOfOrderTwoAndThreeInBothLayouts) {
  for (const OperatorCase& c : kOperators) {
    SCOPED_TRACE(::testing::Message() << "order " << c.order << ", " << c.layout << ", strong "
                                      << c.strong << ", L " << c.length);
    const auto mixer = golden_operator(c.order, c.strong, options(), c.layout);
    const at::Tensor u = det(100, {2, c.length, 6}, options());
    const at::Tensor y = mixer->forward(u);
    EXPECT_EQ(y.scalar_type(), product_type());
    const std::string which = c.order == 3 ? (c.layout[0] == 'o' ? ", o-major" : ", v-major") : "";
    EXPECT_TRUE(
        agrees(fmt::format("G{}{}, L = {}{}", c.order, c.strong ? "s" : "", c.length, which), y,
               c.golden));
    remove_filters(*mixer);
    expect_sensitive(y, mixer->forward(u), c.golden, c.strong);
  }
}

TEST_P(Goldens, CausalAttention) {
  const Golden golden = {{"-.175563288613", ".0309595622003", "-.246273253755"},
                         "-.165077899745",
                         "-9.9217738493",
                         "3.24559691504"};
  models::ModelConfig config;
  config.d_model.set(8);
  config.attention.n_heads.set(2);
  models::CausalAttention attention(config, options());
  fill(attention, {"Wqkv.weight", "Wqkv.bias", "out_proj.weight", "out_proj.bias"}, false);
  attention.eval();
  const at::Tensor x = det(100, {2, 10, 8}, options());
  const at::Tensor y = attention.forward(x);
  EXPECT_TRUE(agrees("G15 attention", y, golden));
  EXPECT_FALSE(matches(at::zeros_like(y), golden, std::max(kFloat32, tolerance())));
  // Uniform weights instead of the soft-max must fail as well.
  const at::NoGradGuard no_grad;
  attention.named_parameters()["Wqkv.weight"].narrow(0, 0, 16).zero_();
  EXPECT_FALSE(matches(attention.forward(x), golden, std::max(kFloat32, tolerance())));
}

struct ModelCase {
  const char* name;
  SmallModel small;
  std::int64_t low;    // of the ids
  std::int64_t vocab;  // of the ids
  Golden logits;
  Figure loss;  // next-token cross-entropy; empty for none
};

const ModelCase kModels[] = {
    {"G4",
     g4(false),
     7,
     12,
     {{"1.5928337361", "-1.16204958521", ".693050999184"},
      "2.20790384338",
      "54.499388224",
      "1259.28127335"},
     "3.17357247138"},
    {"G4, shift 0",
     g4(false, 0.0),
     7,
     12,
     {{"1.59284300977", "-1.16205821407", ".693058699465"},
      "2.279718388",
      "55.1527269808",
      "1286.96517375"},
     {}},
    {"G4s",
     g4(true),
     7,
     12,
     {{".453466417479", "-.363690213525", ".261953920903"},
      ".407173715963",
      "-1.17522935097",
      "60.3472097021"},
     "2.57136612395"},
    {"G4s, shift 0",
     g4(true, 0.0),
     7,
     12,
     {{".448407033586", "-.359918930932", ".25959475965"},
      ".410301002446",
      "-1.46773895763",
      "60.1725447908"},
     {}},
    {"G5",
     g5(),
     0,
     13,
     {{"-2.01494414212", "1.83357237062", "-1.59190288608"},
      "1.4570988472",
      "26.0631770061",
      "1079.69174186"},
     "2.93042292034"},
};

TEST_P(Goldens, LanguageModels) {
  for (const ModelCase& c : kModels) {
    SCOPED_TRACE(c.name);
    const auto model = golden_model(c.small, options());
    const at::Tensor tokens = ids(c.low, c.vocab);
    const at::Tensor logits = model->logits(tokens);
    ASSERT_EQ(logits.size(2), 16);
    EXPECT_TRUE(agrees(fmt::format("{}: logits", c.name), logits, c.logits));
    if (c.loss.value > 0.0) {
      expect_number(fmt::format("{}: loss", c.name), next_token_loss(logits, tokens).item<double>(),
                    c.loss);
    }
    remove_filters(*model);
    expect_sensitive(logits, model->logits(tokens), c.logits, c.small.strong);
  }
}

TEST_P(Goldens, HiddenStatesOfG4) {
  const Golden golden = {{"1.72373938555", "1.26652865864", ".70588966989"},
                         "-1.16118830737",
                         "-3.46332843618",
                         "265.124331755"};
  const auto model = golden_model(g4(false), options());
  const at::Tensor hidden = model->hidden(ids());
  EXPECT_TRUE(agrees("G4: hidden states", hidden, golden));
  remove_filters(*model);
  expect_sensitive(hidden, model->hidden(ids()), golden, /*strong=*/false);
}

TEST(SmallModels, TokenIdsAreTheGoldens) {
  EXPECT_TRUE(at::equal(
      token_ids(2, 8, 7, 12),
      torch::tensor({{7, 9, 11, 8, 10, 7, 9, 11}, {11, 8, 10, 7, 9, 11, 8, 10}}, at::kLong)));
}

// Soft-max over the true ids only gives another number: padded columns do take part.
TEST(SmallModels, PaddedColumnsBelongToTheLossOfG5) {
  const auto model = golden_model(g5(), at::kDouble);
  const at::Tensor ids = token_ids(2, 16, 0, 13);
  const double cut = next_token_loss(model->logits(ids).narrow(2, 0, 13), ids).item<double>();
  EXPECT_NEAR(cut, 2.54411086426, kFloat64 * 2.5 + 5e-12);
}

TEST_P(Goldens, GradientsOfTheStrongOperator) {
  const std::string mlp = "filter_fn.implicit_filter.";
  const Gradients want = {
      {"in_proj.weight", {"2.95109716", "42.3662877"}},
      {"in_proj.bias", {"2.44025805", "6.416610871"}},
      {"out_proj.weight", {"-43.70348124", "495.2138329"}},
      {"out_proj.bias", {"5.166009421", "4.836364359"}},
      {"short_filter.weight", {"-7.98567503", "581.2919793"}},
      {"short_filter.bias", {"1.85056179", "2.227882283"}},
      {"filter_fn.bias", {"-10.79512406", "33.2978961"}},
      {"filter_fn.pos_emb.z", {"-708.828151", "72770.91512"}},
      {mlp + "0.weight", {"-428.8766624", "227191.4965"}},
      {mlp + "0.bias", {"-228.1201289", "109965.1171"}},
      {mlp + "1.freq", {"-25.23231442", "269.9484779"}},
      {mlp + "2.weight", {"-177.51979", "40789.49646"}},
      {mlp + "2.bias", {"-134.698636", "7812.725393"}},
      {mlp + "4.weight", {"-35.84056434", "2663.520725"}},
      {mlp + "4.bias", {"79.6520862", "1618.420994"}},
      {mlp + "6.weight", {"44.34828098", "429.4088383"}},
  };
  const auto mixer = golden_operator(2, /*strong=*/true, options());
  const at::Tensor u = det(100, {2, 12, 6}, options()).requires_grad_();
  const at::Tensor loss = (mixer->forward(u) * det(200, {2, 12, 6}, options())).sum();
  EXPECT_NEAR(loss.item<double>(), 7.63009336382, tolerance() * 7.63 + 5e-12);
  loss.backward();
  const double largest = u.grad().abs().max().item<double>();
  const double first[] = {1.39726377313, 1.33031197133, 1.08330868499};
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(u.grad()[0][0][i].item<double>(), first[i], tolerance() * largest + 5e-12);
  }
  EXPECT_TRUE(agrees("G2s: gradients", u.grad(), Moments{"-10.1731553999", "29.9671946339"}));
  EXPECT_EQ(mixer->named_parameters().size(), want.size()) << "every parameter is listed";
  expect_gradients("G2s: gradients", *mixer, "", want, kBfloat16);
}

double total_norm(const torch::nn::Module& module) {
  double squares = 0.0;
  for (const at::Tensor& parameter : module.parameters()) {
    squares += parameter.grad().to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(squares);
}

struct LossGradients {
  bool strong;
  Gradients layer0;  // below backbone.layers.0.
  Gradients others;
  double norm;
};

const LossGradients kLossGradients[] = {
    {false,
     {{"mixer.in_proj.weight", {"-.02951870808", ".1457054483"}},
      {"mixer.in_proj.bias", {".113737075", ".02097801381"}},
      {"mixer.out_proj.weight", {kAboutZero, ".3176329865"}},
      {"mixer.short_filter.weight", {"-.0648098916", ".05771970981"}},
      {"mixer.short_filter.bias", {".01438139741", ".04571024758"}},
      {"mixer.filter_fn.bias", {"-.01275664864", ".0006077669443"}},
      {"mixer.filter_fn.implicit_filter.0.weight", {"3.395751314", "10.79172381"}},
      {"mixer.filter_fn.implicit_filter.0.bias", {"1.975742745", "3.729318964"}},
      {"mixer.filter_fn.implicit_filter.1.freq", {".2432074507", ".01602613554"}},
      {"mixer.filter_fn.implicit_filter.2.weight", {"-.105369429", "1.179207102"}},
      {"mixer.filter_fn.implicit_filter.4.weight", {"-.02265720415", ".1305085749"}},
      {"mixer.filter_fn.implicit_filter.6.weight", {"-.08172097377", ".03486532005"}},
      {"norm1.weight", {"-.09396258337", ".01498144484"}},
      {"mlp.fc1.weight", {"-.06824231638", "32.68791613"}},
      {"mlp.fc2.weight", {kAboutZero, "22.25223652"}},
      {"norm2.weight", {"5.317233775", "5.418879665"}}},
     {{"backbone.embeddings.word_embeddings.weight", {kAboutZero, "15.72571432"}},
      {"backbone.ln_f.weight", {".9463534284", ".2166771887"}},
      {"backbone.ln_f.bias", {".4774074353", ".2702130293"}}},
     15.23762794},
    {true,
     {{"mixer.in_proj.weight", {"-.04035611019", ".09629538271"}},
      {"mixer.short_filter.weight", {".4645750006", ".2820585078"}},
      {"mixer.filter_fn.bias", {"-.1294544103", ".01814634613"}},
      {"mixer.filter_fn.implicit_filter.0.weight", {"-12.03383736", "121.8606308"}},
      {"mixer.filter_fn.implicit_filter.1.freq", {".2063745399", ".0688711505"}},
      {"mixer.filter_fn.implicit_filter.6.weight", {"-.1125458381", ".143816769"}}},
     {},
     15.99668747},
};

TEST_P(Goldens, GradientsOfTheNextTokenLoss) {
  for (const LossGradients& c : kLossGradients) {
    SCOPED_TRACE(c.strong ? "G4s" : "G4");
    const auto model = golden_model(g4(c.strong), options());
    const at::Tensor tokens = ids();
    next_token_loss(model->logits(tokens), tokens).backward();
    const std::string golden = c.strong ? "G4s: gradients" : "G4: gradients";
    // Weak weights let the filters carry 4 % of the output: their networks' gradients are that near
    // to bf16's rounding.
    const double in_bf16 = c.strong ? kBfloat16 : 5e-2;
    expect_gradients(golden, *model, "backbone.layers.0.", c.layer0, in_bf16);
    expect_gradients(golden, *model, "", c.others, in_bf16);
    EXPECT_NEAR(total_norm(*model), c.norm, tolerance() * c.norm + 5e-9);
    if (c.strong) {
      const at::Tensor embedding =
          model->named_parameters()["backbone.embeddings.word_embeddings.weight"].grad();
      EXPECT_NEAR(embedding.square().sum().item<double>(), 1.504186478,
                  2 * tolerance() * 1.5 + 5e-10);
    }
  }
}

// lr 1e-2, betas .9/.98, eps 1e-8, weight decay .1 on every parameter, no clipping.
TEST_P(Goldens, FourLossesUnderAdamW) {
  if (is_bf16())
    GTEST_SKIP() << "Adam's first steps are as large for rounding errors as for signals";
  const std::map<bool, std::vector<double>> want = {
      {false, {3.173572471, 3.10878803, 2.878814388, 2.559905476}},
      {true, {2.571366124, 2.598295758, 3.073822933, 2.939290291}}};
  for (const auto& [strong, losses] : want) {
    SCOPED_TRACE(strong ? "G4s" : "G4");
    const auto model = golden_model(g4(strong), options());
    torch::optim::AdamW optimizer(
        model->parameters(),
        torch::optim::AdamWOptions(1e-2).betas({0.9, 0.98}).eps(1e-8).weight_decay(0.1));
    const at::Tensor tokens = ids();
    for (const double expected : losses) {
      optimizer.zero_grad();
      const at::Tensor loss = next_token_loss(model->logits(tokens), tokens);
      // Adam divides each gradient by its own size: a vanishing one becomes a step of +-lr by the
      // sign of its rounding error, so float32 runs part faster than one pass's error.
      const bool amplified = expected != losses.front() && options().dtype() == at::kFloat;
      EXPECT_NEAR(loss.item<double>(), expected,
                  (amplified ? 10.0 : 1.0) * tolerance() * expected + 5e-10);
      loss.backward();
      optimizer.step();
    }
  }
}

}  // namespace
}  // namespace longconv::testing
