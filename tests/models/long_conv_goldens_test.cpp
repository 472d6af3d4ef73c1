// The published numbers of LongConv (models.md 8.5) and of its heads (8.6), through the layers and
// the family as they train.

#include "core/ops/tap_regulariser.h"
#include "models/heads/sequence_decoder.h"
#include "models/layers/h3_conv.h"
#include "models/layers/long_conv_layer.h"
#include "models/layers/sequence_norm.h"
#include "tests/models/goldens.h"

namespace longconv::testing {
namespace {

// Nothing multiplies rounding here, as Hyena's sines do: the bound of 8.1 as it stands.
constexpr double kNearFloat32 = 1e-5;

class LongConvGoldens : public Goldens {
 protected:
  [[nodiscard]] double tolerance() const override {
    if (is_bf16()) return kBfloat16;
    return GetParam().dtype == at::kFloat ? kNearFloat32 : kFloat64;
  }
  /// What zeros and an output without its filter must not meet.
  [[nodiscard]] double loose() const { return std::max(kNearFloat32, tolerance()); }
  /// A layer's input as the one before it gives it.
  static at::Tensor input(int tid, at::IntArrayRef shape) {
    return det(tid, shape, options()).to(product_type());
  }
};

INSTANTIATE_TEST_SUITE_P(EveryPrecision, LongConvGoldens, ::testing::ValuesIn(kPrecisions),
                         [](const auto& test) { return std::string(test.param.name); });

/// What G8 varies.
struct Small {
  double taps = 0.02;  ///< scale of the kernel
  double squash = 0.005;
  bool bidirectional = false;
  std::int64_t smooth = 0;
};

/// G8: H = 4, L = 8, C = 2.
void configure_layer(models::ModelConfig& config, const Small& small) {
  config.family.set("long_conv");
  config.d_model.set(4);
  config.l_max.set(8);
  config.filter.dropout.set(0.0);
  config.filter.squash.set(small.squash);
  config.filter.bidirectional.set(small.bidirectional);
  config.filter.smooth.set(small.smooth);
}

/// Kernel, D, W and b with tids 0 to 3.
std::shared_ptr<models::LongConvLayer> golden_layer(const Small& small,
                                                    const at::TensorOptions& options) {
  models::ModelConfig config;
  configure_layer(config, small);
  auto layer = std::make_shared<models::LongConvLayer>(config, options);
  const at::NoGradGuard no_grad;
  auto parameters = layer->named_parameters();
  const std::pair<const char*, double> fills[] = {{"kernel.kernel", small.taps},
                                                  {"D", 0.5},
                                                  {"output_linear.0.weight", 0.3},
                                                  {"output_linear.0.bias", 0.1}};
  int tid = 0;
  for (const auto& [name, scale] : fills) {
    at::Tensor& parameter = parameters[name];
    parameter.copy_(scale * det(tid++, parameter.sizes(), options));
  }
  return layer;
}

struct LayerCase {
  const char* name;
  Small small;
  Golden golden;
};

const LayerCase kLayers[] = {
    {"G8 causal",
     {},
     {{"-.0315283130662", "-.0390454000814", "-.0516944880079"},
      "-.0142043718914",
      "-2.93340970456",
      ".166835122844"}},
    {"G8 bidirectional",
     {.bidirectional = true},
     {{"-.0278611306351", "-.0312685447605", "-.0422047095717"},
      "-.0142043718914",
      "-2.94190988369",
      ".163835744909"}},
    {"G8 causal, smooth 3 then squash",
     {.smooth = 3},
     {{"-.0315410480015", "-.038993315212", "-.0515146484604"},
      "-.0137878974775",
      "-2.92792041595",
      ".165495007029"}},
    {"G8s causal",
     {.taps = 0.2, .squash = 0.05},
     {{"-.0315856880849", "-.043302514304", "-.0698455810929"},
      ".0183404271301",
      "-3.33679068651",
      ".790758062936"}},
    {"G8s bidirectional",
     {.taps = 0.2, .squash = 0.05, .bidirectional = true},
     {{"-.00333694218887", ".0233745313281", ".0177289599344"},
      ".0183404271301",
      "-3.17252546268",
      ".808387771552"}},
    {"G8s causal, smooth 3",
     {.taps = 0.2, .squash = 0.05, .smooth = 3},
     {{"-.0317180828104", "-.0427344685754", "-.0675984712901"},
      ".0232472059658",
      "-3.26089004013",
      ".703482846223"}},
};

TEST_P(LongConvGoldens, Layer) {
  const at::Tensor u = input(100, {2, 4, 8}).transpose(1, 2);
  for (const LayerCase& c : kLayers) {
    SCOPED_TRACE(c.name);
    const auto layer = golden_layer(c.small, options());
    const at::Tensor y = layer->forward(u, {}).transpose(1, 2);
    EXPECT_TRUE(agrees(c.name, y, c.golden));
    {
      const at::NoGradGuard no_grad;
      layer->named_parameters()["kernel.kernel"].zero_();
    }
    // G8's weak filters are below bf16's rounding; G8s says it there.
    const bool strong = c.small.taps > 0.1;
    if (strong || !is_bf16()) {
      EXPECT_FALSE(matches(layer->forward(u, {}).transpose(1, 2), c.golden, loose()))
          << "an output without filter passes";
    }
    EXPECT_FALSE(matches(at::zeros_like(y), c.golden, loose())) << "zeros pass";
  }
}

TEST_P(LongConvGoldens, Regularisation) {
  const at::Tensor k = 0.02 * det(0, {2, 4, 8}, options());
  models::ModelConfig config;
  configure_layer(config, {});
  models::ExplicitFilter filter(config.filter, 2, 4, 8, options());
  {
    const at::NoGradGuard no_grad;
    filter.kernel.copy_(k);
  }
  EXPECT_TRUE(agrees("G8: squash", filter.regularised(),
                     Golden{{".0118294196962", ".014598161228", ".0147143835767"},
                            "-.0096602640943",
                            "-.00853769418744",
                            ".00648299327496"}));
  EXPECT_TRUE(agrees("G8: smooth, window 3", ops::regularise_taps(k, {.window = 3}),
                     Golden{{".0121425269747", ".0187139881669", ".0188249671325"},
                            "-.0110826499158",
                            "-.00617743223698",
                            ".0117396268977"}));
  EXPECT_TRUE(agrees("G8: double-exponential envelope",
                     models::double_exp_envelope(8, 6, options()),
                     Golden{{"1", ".846481724891", ".716531310574"},
                            ".0606286302657",
                            "25.4959336613",
                            "17.5180948954"}));
}

// ---- G10 ---------------------------------------------------------------------------------------

/// The tensors of two layers and what stands around them, in the goldens' order.
std::vector<std::pair<std::string, double>> classifier_fills() {
  std::vector<std::pair<std::string, double>> out = {{"encoder.0.weight", 0.3},
                                                     {"encoder.0.bias", 0.1}};
  for (int i = 0; i < 2; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    out.insert(out.end(), {{layer + "layer.D", 0.5},
                           {layer + "layer.kernel.kernel", 0.2},
                           {layer + "layer.output_linear.0.weight", 0.3},
                           {layer + "layer.output_linear.0.bias", 0.1},
                           {layer + "norm.norm.weight", 0.1},  // around 1
                           {layer + "norm.norm.bias", 0.1}});
  }
  out.insert(out.end(), {{"decoder.0.output_transform.weight", 0.3},
                         {"decoder.0.output_transform.bias", 0.1}});
  return out;
}

std::shared_ptr<models::Model> golden_classifier(bool prenorm, const at::TensorOptions& options) {
  models::ModelConfig config;
  configure_layer(config, {.squash = 0.05});
  config.n_layers.set(2);
  config.d_input.set(3);
  config.prenorm.set(prenorm);
  config.head.kind.set("classifier");
  config.head.n_classes.set(5);
  auto model = models::build(config, options);
  const at::NoGradGuard no_grad;
  auto parameters = model->named_parameters();
  int tid = 0;
  for (const auto& [name, scale] : classifier_fills()) {
    at::Tensor& parameter = parameters[name];
    const at::Tensor wave = scale * det(tid++, parameter.sizes(), options);
    parameter.copy_(name.ends_with("norm.weight") ? 1.0 + wave : wave);
  }
  model->eval();
  return model;
}

/// Every value of the result, as printed.
::testing::AssertionResult equals(const at::Tensor& x, const std::vector<Figure>& want,
                                  double tolerance) {
  const std::vector<double> got = values(x);
  if (got.size() != want.size()) return ::testing::AssertionFailure() << got.size() << " values";
  double largest = 0.0;
  for (const double value : got) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto near = detail::near("a value", got[i], want[i], tolerance * largest);
    if (!near) return near;
  }
  return ::testing::AssertionSuccess();
}

TEST_P(LongConvGoldens, PostNormClassifier) {
  const auto model = golden_classifier(/*prenorm=*/false, options());
  const std::vector<Figure> want = {
      ".225557641768",  "-.0875779282255", "-.344916600025",   "-.119456692279", ".157314126355",
      "-.130462410613", "-.185966263824",  "-.00673860807773", ".0402579390952", "-.151900695437"};
  const at::Tensor x = det(100, {2, 8, 3}, options());
  EXPECT_TRUE(agrees("G10 post-norm", model->logits(x), want));
  const at::NoGradGuard no_grad;
  model->named_parameters()["layers.1.layer.kernel.kernel"].zero_();
  const at::Tensor without = model->logits(x);
  EXPECT_FALSE(equals(at::zeros_like(without), want, loose())) << "zeros pass";
  // One filter of two is below bf16's rounding.
  if (!is_bf16()) {
    EXPECT_FALSE(equals(without, want, loose())) << "an output without filter passes";
  }
}

TEST_P(LongConvGoldens, PreNormClassifier) {
  // The standalone program has no norm at the end, safari's and our family have one: so the layers
  // are put together here, first without and then with it.
  const auto model = golden_classifier(/*prenorm=*/true, options());
  const auto child = [&](const std::string& name) {
    for (const auto& item : model->named_modules()) {
      if (item.key() == name) return item.value();
    }
    throw std::out_of_range(name);
  };
  const auto norm = [&](const std::string& name, const at::Tensor& x) {
    return std::dynamic_pointer_cast<models::SequenceNorm>(child(name))->forward(x, {});
  };
  const at::Tensor input = det(100, {2, 8, 3}, options());
  at::Tensor x = std::dynamic_pointer_cast<models::Linear>(child("encoder.0"))->forward(input);
  for (const std::string layer : {"layers.0.", "layers.1."}) {
    x = x + std::dynamic_pointer_cast<models::LongConvLayer>(child(layer + "layer"))
                ->forward(norm(layer + "norm", x), {});
  }
  const auto decoder = std::dynamic_pointer_cast<models::Decoder>(child("decoder.0"));
  const std::vector<Figure> want = {
      ".0530950607573",  "-.128285673451", "-.17983609379",   "-.0488127117179", ".00504442907217",
      "-.0847138833767", "-.155815835215", "-.0470195586335", ".00280283204290", "-.118411975683"};
  EXPECT_TRUE(agrees("G10 pre-norm", decoder->forward(x, {}), want));
  const at::Tensor whole = decoder->forward(norm("norm", x), {});
  EXPECT_TRUE(at::allclose(model->logits(input), whole, 1e-5, 1e-6));
  EXPECT_FALSE(equals(model->logits(input), want, loose())) << "the last norm does nothing";
}

// ---- G11 ---------------------------------------------------------------------------------------

TEST_P(LongConvGoldens, H3Conv) {
  models::ModelConfig config;
  config.family.set("h3_conv");
  config.d_model.set(6);
  config.l_max.set(10);
  config.filter.dropout.set(0.0);
  config.filter.squash.set(0.05);
  models::H3Conv mixer(config, options());
  const std::pair<const char*, double> fills[] = {
      {"q_proj.weight", 0.3},        {"q_proj.bias", 0.1},
      {"k_proj.weight", 0.3},        {"k_proj.bias", 0.1},
      {"v_proj.weight", 0.3},        {"v_proj.bias", 0.1},
      {"k_kernel.kernel", 0.2},      {"k_D", 0.5},
      {"kernel.kernel", 0.2},        {"D", 0.5},
      {"output_linear.weight", 0.3}, {"output_linear.bias", 0.1}};
  const at::NoGradGuard no_grad;
  auto parameters = mixer.named_parameters();
  ASSERT_EQ(parameters.size(), std::size(fills));
  int tid = 0;
  for (const auto& [name, scale] : fills) {
    parameters[name].copy_(scale * det(tid++, parameters[name].sizes(), options()));
  }
  const Golden golden{{"-.0439264359895", "-.0228304156897", ".0115583744222"},
                      ".0958480937554",
                      "3.42454111337",
                      ".46945374447"};
  const at::Tensor u = input(100, {2, 10, 6});
  EXPECT_TRUE(agrees("G11", mixer.forward(u), golden));
  for (const char* kernel : {"k_kernel.kernel", "kernel.kernel"}) {
    const at::Tensor kept = parameters[kernel].clone();
    parameters[kernel].zero_();
    EXPECT_FALSE(matches(mixer.forward(u), golden, loose())) << kernel << " does nothing";
    parameters[kernel].copy_(kept);
  }
}

// ---- G16 ---------------------------------------------------------------------------------------

TEST_P(LongConvGoldens, Heads) {
  const at::Tensor x = det(100, {2, 5, 3}, options());
  const std::pair<const char*, std::vector<Figure>> cases[] = {
      {"last", {"-.579882235895", "-.389350142844", ".301631891009"}},
      {"first", {".70033035502", ".403884583631", "-.273138786693"}},
      {"mean", {".0978395086195", ".0837834065511", ".0446787098856"}},
      {"sum", {".125478572367", ".140005937452", ".0670396378684"}},
  };
  for (const auto& [pool, want] : cases) {
    SCOPED_TRACE(pool);
    models::SequenceDecoder head(pool, 3, 4, /*with_bias=*/true, options());
    {
      const at::NoGradGuard no_grad;
      head.named_parameters()["output_transform.weight"].copy_(0.3 * det(0, {4, 3}, options()));
      head.named_parameters()["output_transform.bias"].copy_(0.1 * det(1, {4}, options()));
    }
    EXPECT_TRUE(
        agrees(fmt::format("G16 {}", pool), head.forward(x, {}).flatten().narrow(0, 0, 3), want));
    const at::Tensor other = x.flip({1}) * (is_bf16() ? 2.0 : 1.01);
    EXPECT_FALSE(equals(head.forward(other, {}).flatten().narrow(0, 0, 3), want, loose()))
        << "any input passes";
  }
}

}  // namespace
}  // namespace longconv::testing
