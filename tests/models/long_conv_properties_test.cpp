// What examples cannot say of LongConv: models.md 4.1 to 4.3, 4.7 and 8.7.

#include "core/base/error.h"
#include "models/cost/cost.h"
#include "models/heads/sequence_decoder.h"
#include "models/layers/long_conv_layer.h"
#include "models/layers/sequence_norm.h"
#include "tests/models/fidelity.h"
#include "tests/models/small_models.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>

namespace longconv::testing {
namespace {

using models::ModelConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kDim = 6;
constexpr std::int64_t kMost = 10;
const at::TensorOptions kDouble = at::TensorOptions(at::kDouble);

/// Six channels, ten taps, no dropout and no squash unless asked for.
void configure_long_conv(ModelConfig& config, const std::string& lines = "") {
  config::parse(
      config,
      "family = \"long_conv\"\nd_model = 6\nn_layers = 2\nl_max = 10\nd_input = 3\n" + lines,
      "m.toml");
}

const std::string kHead = "[head]\nkind = \"classifier\"\nn_classes = 4\n";
const std::string kPlainFilter = "[filter]\nsquash = 0\ndropout = 0\n";

std::shared_ptr<models::Model> small(const std::string& lines,
                                     const at::TensorOptions& options = kDouble) {
  ModelConfig config;
  configure_long_conv(config, lines);
  torch::manual_seed(4);
  auto model = models::build(config, options);
  model->eval();
  // Filters that carry the output: as drawn they are some hundredths of the skip.
  const at::NoGradGuard no_grad;
  for (auto& p : model->named_parameters()) {
    if (p.key().ends_with("kernel.kernel")) p->mul_(200.0);
  }
  return model;
}

at::Tensor hidden_of(models::Model& model, const at::Tensor& x) { return model.hidden(x); }

/// Whether hidden states at steps before `step` change with the input at `step`.
bool looks_ahead(models::Model& model, std::int64_t length, std::int64_t step) {
  const at::Tensor x = torch::randn({2, length, 3}, kDouble);
  at::Tensor other = x.clone();
  other.select(1, step).add_(1.0);
  const at::Tensor change = (hidden_of(model, x) - hidden_of(model, other)).abs();
  EXPECT_GT(change.slice(1, step).max().item<double>(), 1e-3) << "the change would go unseen";
  return change.slice(1, 0, step).max().item<double>() > 1e-9;
}

TEST(LongConv, LooksAheadOnlyWhereItShould) {
  for (const std::int64_t length : {7, 10}) {
    EXPECT_FALSE(looks_ahead(*small(kHead + kPlainFilter), length, 5)) << length;
    EXPECT_TRUE(looks_ahead(*small(kHead + kPlainFilter + "bidirectional = true\n"), length, 5));
  }
  // Quirk LC-2: taps beyond the input wrap around, unless there are none.
  EXPECT_TRUE(looks_ahead(*small(kHead + kPlainFilter + "alias = true\n"), 7, 6));
  EXPECT_FALSE(looks_ahead(*small(kHead + kPlainFilter + "alias = true\n"), 10, 6));
}

TEST(LongConv, AliasIsTheCircleOfTwiceTheLength) {
  for (const bool bidirectional : {false, true}) {
    ModelConfig config;
    configure_long_conv(config, kPlainFilter + "alias = true\n");
    config.filter.bidirectional.set(bidirectional);
    const models::ExplicitFilter filter(config.filter, 2, 1, kMost, kDouble);
    const auto k = filter.kernel.accessor<double, 3>();
    for (const std::int64_t length : {4, 6, 7, 10}) {
      const models::FilterPair pair = filter.filters(length);
      for (std::int64_t c = 0; c < 2; ++c) {
        for (std::int64_t p = 0; p < 2 * length; ++p) {
          double want = p < kMost ? k[c][0][p] : 0.0;
          const std::int64_t back = kMost - 1 - (p - length);
          if (bidirectional && p >= length && back >= 0) want += k[2 + c][0][back];
          if (!bidirectional && length == kMost && p >= length) continue;  // no filter ahead
          const double got = p < length ? pair.k[c][0][p].item<double>()
                                        : pair.k_reverse[c][0][2 * length - 1 - p].item<double>();
          EXPECT_DOUBLE_EQ(got, want) << length << " " << p;
        }
      }
    }
  }
}

TEST(LongConv, GradientsAreTheSlopes) {
  for (const char* options :
       {"", "bidirectional = true\n", "smooth = 3\n", "smooth_freq = 3\nalias = true\n"}) {
    SCOPED_TRACE(options);
    ModelConfig config;
    configure_long_conv(config, "[filter]\nsquash = 0.05\ndropout = 0\n" + std::string(options));
    torch::manual_seed(3);
    const models::LongConvLayer layer(config, kDouble);
    std::vector<at::Tensor> inputs = {torch::randn({2, 7, kDim}, kDouble)};
    auto parameters = layer.named_parameters();
    parameters["kernel.kernel"].detach().normal_();
    for (const auto& p : parameters) inputs.push_back(p.value().detach().clone());
    const auto run = [&](const Tensors& x) {
      const torch::NoGradGuard no_grad;
      std::size_t i = 1;
      for (auto& p : parameters) p.value().set_data(x[i++]);
      return at::Tensor();
    };
    // Parameters are the module's own, so their slopes are taken one by one.
    run(inputs);
    const at::Tensor weights = torch::randn({2, 7, kDim}, kDouble);
    const auto loss = [&] { return (layer.forward(inputs[0], {}) * weights).sum(); };
    for (auto& p : parameters) p.value().mutable_grad() = at::Tensor();
    loss().backward();
    for (auto& p : parameters) {
      SCOPED_TRACE(p.key());
      const at::Tensor gradient = p.value().grad().flatten();
      const torch::NoGradGuard no_grad;
      at::Tensor flat = p.value().view({-1});
      for (std::int64_t i = 0; i < flat.numel(); i += 1 + flat.numel() / 40) {
        const double start = flat[i].item<double>();
        const double step = 1e-6;
        flat[i] = start + step;
        const double above = loss().item<double>();
        flat[i] = start - step;
        const double below = loss().item<double>();
        flat[i] = start;
        EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * step),
                    1e-6 * gradient.abs().max().item<double>());
      }
      EXPECT_GT(gradient.abs().max().item<double>(), 1e-3);
    }
    EXPECT_TRUE(gradcheck([&](const Tensors& x) { return layer.forward(x[0], {}); }, {inputs[0]}));
  }
}

TEST(LongConv, SmoothingOverFrequenciesIsACorrelationOfTheSpectrum) {
  const std::int64_t length = 9;  // an odd length loses nothing
  const at::Tensor k = torch::randn({1, 1, length}, kDouble);
  const at::Tensor spectrum = torch::fft_rfft(k)[0][0];
  const std::int64_t places = spectrum.size(0);
  at::Tensor want = torch::zeros_like(spectrum);
  for (std::int64_t f = 0; f < places; ++f) {
    for (std::int64_t i = 0; i < 5; ++i) {
      const std::int64_t from = f + i - 2;
      if (from < 0 || from >= places) continue;
      want[f] += std::exp(-0.5 * static_cast<double>((i - 2) * (i - 2))) * spectrum[from];
    }
  }
  EXPECT_TRUE(at::allclose(models::smooth_frequency(k, 5)[0][0], torch::fft_irfft(want, length)));
  EXPECT_FALSE(at::allclose(models::smooth_frequency(k, 5), k));
}

// ---- squash ------------------------------------------------------------------------------------

TEST(Squash, DeadTapsNeverMoveAndTheOthersDo) {
  ModelConfig config;
  configure_long_conv(config, kHead + "[filter]\nsquash = 0.003\ndropout = 0.2\n");
  torch::manual_seed(1);
  const auto model = models::build(config, kDouble);
  at::Tensor kernel = model->named_parameters()["layers.0.layer.kernel.kernel"];
  const at::Tensor before = kernel.detach().clone();
  torch::optim::AdamW optimizer(model->parameters(),
                                torch::optim::AdamWOptions(1e-2).weight_decay(0.0));
  const at::Tensor x = torch::randn({8, kMost, 3}, kDouble);
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    model->logits(x).square().sum().backward();
    const at::Tensor dead = before.abs() <= 0.003;
    EXPECT_EQ(kernel.grad().masked_select(dead).abs().max().item<double>(), 0.0);
    optimizer.step();
  }
  const at::Tensor dead = before.abs() <= 0.003;
  const at::Tensor moved = kernel.detach() != before;
  EXPECT_FALSE(moved.masked_select(dead).any().item<bool>());
  EXPECT_TRUE(moved.masked_select(dead.logical_not()).all().item<bool>());
  EXPECT_GT(dead.logical_not().sum().item<std::int64_t>(), 5);
}

TEST(Squash, SmoothingWakesTapsBesideLiveOnes) {
  ModelConfig config;
  configure_long_conv(config, "[filter]\nsquash = 0.05\ndropout = 0\nsmooth = 3\nchannels = 1\n");
  models::ExplicitFilter filter(config.filter, 1, 1, kMost, kDouble);
  const at::NoGradGuard no_grad;
  filter.kernel.zero_();
  filter.kernel[0][0][4] = 0.9;
  const at::AutoGradMode grad(true);
  filter.regularised().sum().backward();
  const at::Tensor gradient = filter.kernel.grad()[0][0];
  EXPECT_GT(gradient[2].item<double>(), 0.0);
  EXPECT_EQ(gradient[1].item<double>(), 0.0);
}

TEST(Squash, SharesOfDeadTapsAtTheStart) {
  // 0.002 N(0, 1): |k| <= lambda for erf(lambda / 0.002 / sqrt 2) of the taps.
  for (const double lambda : {0.001, 0.003}) {
    ModelConfig config;
    configure_long_conv(config, "[filter]\ndropout = 0\n");
    config.filter.squash.set(lambda);
    torch::manual_seed(8);
    const models::ExplicitFilter filter(config.filter, 2, 64, 1024, kDouble);
    const double dead = (filter.regularised() == 0.0).to(at::kDouble).mean().item<double>();
    const double published = std::erf(lambda / 0.002 / std::numbers::sqrt2);
    EXPECT_NEAR(dead, published, 0.005);
    record_figure({fmt::format("taps that squash leaves dead, random start, lambda = {}", lambda),
                   fmt::format("{:.0f} %", 100.0 * published),
                   fmt::format("{:.0f} %", 100.0 * dead)});
  }
}

TEST(Squash, TapDropoutIsForTrainingAlone) {
  ModelConfig config;
  configure_long_conv(config, "[filter]\nsquash = 0\ndropout = 0.25\n");
  models::ExplicitFilter filter(config.filter, 2, 32, 512, kDouble);
  filter.eval();
  EXPECT_TRUE(at::equal(filter.regularised(), filter.kernel));
  filter.train();
  const at::Tensor k = filter.regularised();
  const at::Tensor gone = k == 0.0;
  EXPECT_NEAR(gone.to(at::kDouble).mean().item<double>(), 0.25, 0.01);
  EXPECT_TRUE(at::allclose(k.masked_select(gone.logical_not()),
                           filter.kernel.masked_select(gone.logical_not()) / 0.75));
}

// ---- padding, norms, dropout -------------------------------------------------------------------

TEST(LongConvPadding, ChangesNothing) {
  for (const char* pool : {"mean", "last", "first", "sum"}) {
    SCOPED_TRACE(pool);
    const auto model =
        small(fmt::format("{}pool = \"{}\"\n{}bidirectional = true\n", kHead, pool, kPlainFilter));
    const at::Tensor row = torch::randn({1, 6, 3}, kDouble);
    at::Tensor padded = torch::randn({2, 9, 3}, kDouble);
    padded[0].narrow(0, 0, 6).copy_(row[0]);
    const at::Tensor lengths = torch::tensor({6, 9}, at::kLong);
    const at::Tensor alone = model->logits(row)[0];
    EXPECT_TRUE(at::allclose(model->logits({padded, lengths})[0], alone));
    EXPECT_FALSE(at::allclose(model->logits(padded)[0], alone)) << "lengths are not read";
  }
}

TEST(LongConvPadding, RaggedHeadsGiveTheLongestRow) {
  const auto model = small(kHead + "pool = \"ragged\"\n" + kPlainFilter);
  const at::Tensor x = torch::randn({2, 9, 3}, kDouble);
  EXPECT_EQ(model->logits({x, torch::tensor({6, 4}, at::kLong)}).sizes(),
            at::IntArrayRef({2, 6, 4}));
}

TEST(LongConvNorm, BatchNormCountsPaddingOrNot) {
  for (const bool counts_padding : {true, false}) {
    ModelConfig config;
    configure_long_conv(config, "norm = \"batch\"\n");
    config.norm_counts_padding.set(counts_padding);
    const auto norm = models::make_norm(config, kDouble);
    const at::Tensor x = 3.0 + torch::randn({2, 5, kDim}, kDouble);
    const at::Tensor counts = models::steps_that_count(torch::tensor({5, 2}, at::kLong), 5);
    const at::Tensor rows = counts_padding ? x.flatten(0, 1) : x.index({counts});
    const at::Tensor mean = rows.mean(0);
    const at::Tensor variance = (rows - mean).square().mean(0);
    const at::Tensor y = norm->forward(x, counts);
    const at::Tensor want = (x - mean) / (variance + 1e-5).sqrt();
    EXPECT_TRUE(at::allclose(y.index({counts}), want.index({counts})));
    auto buffers = norm->named_buffers();
    EXPECT_TRUE(at::allclose(buffers["norm.running_mean"], 0.1 * mean));
    const double n = static_cast<double>(rows.size(0));
    EXPECT_TRUE(at::allclose(buffers["norm.running_var"], 0.9 + 0.1 * variance * n / (n - 1.0)));
    EXPECT_EQ(buffers["norm.num_batches_tracked"].item<std::int64_t>(), 1);
    norm->eval();
    EXPECT_TRUE(at::allclose(
        norm->forward(x, {}),
        (x - buffers["norm.running_mean"]) / (buffers["norm.running_var"] + 1e-5).sqrt()));
    EXPECT_EQ(buffers["norm.num_batches_tracked"].item<std::int64_t>(), 1);
  }
}

TEST(LongConvNorm, ScalarHasOneScaleAndShift) {
  ModelConfig config;
  configure_long_conv(config, "norm = \"scalar\"\n");
  const auto norm = models::make_norm(config, kDouble);
  const at::NoGradGuard no_grad;
  norm->named_parameters()["norm.m"].fill_(0.5);
  norm->named_parameters()["norm.s"].fill_(2.0);
  const at::Tensor x = torch::randn({2, 5, kDim}, kDouble);
  const at::Tensor mean = x.mean(2, true);
  const at::Tensor deviation = (x - mean).square().mean(2, true).sqrt();
  EXPECT_TRUE(at::allclose(norm->forward(x, {}), 2.0 / deviation * (x - mean + 0.5)));
}

/// Of the layer's output features before its Linear, which (B, C H, L) were dropped.
at::Tensor dropped(const std::string& axis) {
  ModelConfig config;
  configure_long_conv(config, "resid_dropout = 0.5\nactivation = \"id\"\npostact = \"none\"\n" +
                                  std::string("inner_dropout = \"") + axis + "\"\n" + kPlainFilter +
                                  "channels = 1\n");
  torch::manual_seed(6);
  models::LongConvLayer layer(config, kDouble);
  return layer.forward(torch::randn({4, kMost, kDim}, kDouble), {}) == 0.0;  // (B, L, H)
}

TEST(LongConvDropout, TakesTimeStepsChannelsOrValues) {
  const auto all_or_none = [](const at::Tensor& gone, std::int64_t dim) {
    return at::equal(gone.all(dim), gone.any(dim));
  };
  const at::Tensor steps = dropped("time");
  EXPECT_TRUE(all_or_none(steps, 2));
  EXPECT_FALSE(all_or_none(steps, 1));
  const at::Tensor channels = dropped("channel");
  EXPECT_TRUE(all_or_none(channels, 1));
  EXPECT_FALSE(all_or_none(channels, 2));
  const at::Tensor elements = dropped("element");
  EXPECT_FALSE(all_or_none(elements, 1));
  EXPECT_FALSE(all_or_none(elements, 2));
  for (const at::Tensor& gone : {steps, channels, elements}) {
    EXPECT_NEAR(gone.to(at::kDouble).mean().item<double>(), 0.5, 0.25);
  }
}

TEST(LongConvDropout, BetweenLayersTakesWholeChannels) {
  const at::Tensor kept = models::drop_tied(torch::ones({3, 5, 8}, kDouble), {3, 1, 8}, 0.5, true);
  EXPECT_TRUE(at::equal(kept.select(1, 0), kept.select(1, 4)));
  EXPECT_EQ(kept.max().item<double>(), 2.0);
  EXPECT_EQ(kept.min().item<double>(), 0.0);
}

// ---- the rest ----------------------------------------------------------------------------------

TEST(LongConvOutput, WeightNormStartsAsThePlainLinear) {
  const auto made = [](const char* lines) {
    ModelConfig config;
    configure_long_conv(config, lines + kPlainFilter);
    torch::manual_seed(9);
    return std::make_shared<models::LongConvLayer>(config, kDouble);
  };
  const auto plain = made("");
  const auto normed = made("weight_norm = true\n");
  const at::Tensor u = torch::randn({2, 8, kDim}, kDouble);
  EXPECT_TRUE(at::allclose(plain->forward(u, {}), normed->forward(u, {})));
  const at::NoGradGuard no_grad;
  auto parameters = normed->named_parameters();
  const at::Tensor before = normed->forward(u, {});
  parameters["output_linear.0.weight_v"].mul_(3.0);
  EXPECT_TRUE(at::allclose(normed->forward(u, {}), before)) << "only the direction counts";
  parameters["output_linear.0.weight_g"].mul_(3.0);
  EXPECT_FALSE(at::allclose(normed->forward(u, {}), before));
}

TEST(Retrieval, ComparesTheMeansOfTwoRows) {
  models::RetrievalDecoder head(3, 2, kDouble);
  const at::Tensor x = torch::randn({4, 5, 3}, kDouble);
  const at::Tensor lengths = torch::tensor({5, 2, 3, 4}, at::kLong);
  auto p = head.named_parameters();
  const at::Tensor got = head.forward(x, lengths);
  for (int i = 0; i < 2; ++i) {
    const auto mean = [&](int row) {
      return x[row].narrow(0, 0, lengths[row].item<std::int64_t>()).mean(0);
    };
    const at::Tensor a = mean(i);
    const at::Tensor b = mean(2 + i);
    const at::Tensor features = torch::cat({a, b, a - b, a * b});
    const at::Tensor inner = torch::gelu(p["retrieval.classifier.0.weight"].matmul(features) +
                                         p["retrieval.classifier.0.bias"]);
    EXPECT_TRUE(at::allclose(got[i], p["retrieval.classifier.2.weight"].matmul(inner) +
                                         p["retrieval.classifier.2.bias"]));
  }
  EXPECT_THROW(head.forward(x.narrow(0, 0, 3), {}), ShapeError);
}

TEST(LongConvFamily, HasTheNamesAndSizesOfThePaper) {
  ModelConfig config;
  configure_long_conv(config, kHead + "[filter]\nbidirectional = true\n");
  const auto model = models::build(config);
  std::vector<std::string> names;
  std::int64_t parameters = 0;
  for (const auto& p : model->named_parameters()) {
    names.push_back(p.key());
    parameters += p.value().numel();
  }
  const std::int64_t d = kDim;
  const std::int64_t layer = 4 * d * kMost + 2 * d + 2 * d * 2 * d + 2 * d + 2 * d;
  EXPECT_EQ(parameters, 3 * d + d + 2 * layer + 2 * d + 4 * d + 4);
  EXPECT_EQ(models::cost(config).parameters, parameters);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre(
                         "encoder.0.weight", "encoder.0.bias", "layers.0.layer.D",
                         "layers.0.layer.kernel.kernel", "layers.0.layer.output_linear.0.weight",
                         "layers.0.layer.output_linear.0.bias", "layers.0.norm.norm.weight",
                         "layers.0.norm.norm.bias", "layers.1.layer.D",
                         "layers.1.layer.kernel.kernel", "layers.1.layer.output_linear.0.weight",
                         "layers.1.layer.output_linear.0.bias", "layers.1.norm.norm.weight",
                         "layers.1.norm.norm.bias", "norm.norm.weight", "norm.norm.bias",
                         "decoder.0.output_transform.weight", "decoder.0.output_transform.bias"));
}

TEST(LongConvFamily, FiltersHaveTheirOwnRateAndNoDecay) {
  ModelConfig config;
  configure_long_conv(config, kHead + "[filter]\nlr = 5e-4\n");
  const auto overrides = models::build(config)->overrides();
  ASSERT_EQ(overrides.size(), 2U);
  EXPECT_EQ(overrides[0].name, "layers.0.layer.kernel.kernel");
  EXPECT_EQ(overrides[0].lr, 5e-4);
  EXPECT_EQ(overrides[0].weight_decay, 0.0);
}

TEST(LongConvFamily, RegressorsGiveNumbersAtEveryStep) {
  const auto model =
      small("mlp_blocks = true\nd_inner = 8\n[head]\nkind = \"regressor\"\nn_classes = 3\n" +
            kPlainFilter);
  EXPECT_EQ(model->logits(torch::randn({2, 7, 3}, kDouble)).sizes(), at::IntArrayRef({2, 7, 3}));
  EXPECT_TRUE(model->named_parameters().contains("layers.1.layer.fc1.weight"));
  EXPECT_TRUE(model->named_parameters().contains("layers.3.layer.fc2.weight"));
}

TEST(LongConvFamily, Float32IsNearFloat64) {
  const std::string lines = kHead + kPlainFilter + "bidirectional = true\n";
  const auto exact = small(lines);
  const auto rounded = small(lines, at::kFloat);
  const at::NoGradGuard no_grad;
  auto from = exact->named_parameters();
  for (auto& p : rounded->named_parameters()) p.value().copy_(from[p.key()]);
  const at::Tensor x = torch::randn({4, 9, 3}, kDouble);
  const at::Tensor want = exact->logits(x);
  const double size = want.abs().max().item<double>();
  const auto error = [&](const at::Tensor& y) {
    return (y.to(at::kDouble) - want).abs().max().item<double>() / size;
  };
  EXPECT_LT(error(rounded->logits(x)), 1e-5);
}

// ---- H3 with long convolutions -----------------------------------------------------------------

std::shared_ptr<models::Model> small_h3(const std::string& lines = "") {
  ModelConfig config;
  config::parse(config,
                "family = \"h3_conv\"\nd_model = 8\nn_layers = 3\nl_max = 16\nvocab_size = 16\n"
                "[attention]\nlayers = [1]\nn_heads = 2\n[filter]\nsquash = 0\ndropout = 0\n" +
                    lines,
                "m.toml");
  torch::manual_seed(2);
  auto model = models::build(config, kDouble);
  model->eval();
  const at::NoGradGuard no_grad;
  for (auto& p : model->named_parameters()) {
    if (p.value().dim() > 1) p.value().normal_(0.0, 0.3);
  }
  return model;
}

TEST(H3Conv, NeverLooksAheadAndAPrefixGivesAPrefix) {
  const auto model = small_h3();
  const at::Tensor ids = token_ids(2, 16, 0, 16);
  const at::Tensor whole = model->logits(ids);
  at::Tensor changed = ids.clone();
  changed.narrow(1, 10, 6).add_(3).remainder_(16);
  const at::Tensor difference = (model->logits(changed) - whole).abs();
  const double signal = whole.abs().max().item<double>();
  EXPECT_LE(difference.narrow(1, 0, 10).max().item<double>(), 1e-12 * signal);
  EXPECT_GT(difference.narrow(1, 10, 6).max().item<double>(), 1e-3 * signal);
  EXPECT_TRUE(at::allclose(model->logits(ids.narrow(1, 0, 9)), whole.narrow(1, 0, 9)));
}

TEST(H3Conv, HasItsNamesRatesAndLimits) {
  const auto model = small_h3("lr = 1e-4\n");
  std::size_t filters = 0;
  for (const models::ParameterOverride& own : model->overrides()) {
    EXPECT_TRUE(own.name.ends_with("mixer.kernel.kernel") ||
                own.name.ends_with("mixer.k_kernel.kernel"))
        << own.name;
    EXPECT_EQ(own.lr, 1e-4);
    EXPECT_EQ(own.weight_decay, 0.0);
    ++filters;
  }
  EXPECT_EQ(filters, 4U);  // two layers of three; the other attends
  EXPECT_TRUE(model->named_parameters().contains("backbone.layers.0.mixer.k_D"));
  EXPECT_TRUE(model->named_parameters().contains("backbone.layers.1.mixer.Wqkv.weight"));
  EXPECT_THAT(message_of<ConfigError>([] { small_h3("bidirectional = true\n"); }),
              HasSubstr("filter.bidirectional"));
  EXPECT_THAT(message_of<ConfigError>([] { small_h3("alias = true\n"); }),
              HasSubstr("filter.alias"));
}

TEST(H3Conv, PublishedSize) {
  train::RunConfig run;
  config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/lm/h3_conv_125m.toml");
  const std::int64_t d = 768;
  const std::int64_t mlp = 2 * 4 * d * d + 5 * d + 4 * d;  // with two norms
  const std::int64_t mixer = 4 * (d * d + d) + 2 * (d * 2048 + d);
  const std::int64_t attention = 4 * (d * d + d);
  EXPECT_EQ(models::cost(run.model).parameters,
            50264 * d + 12 * mlp + 10 * mixer + 2 * attention + 2 * d);
}

/// A row of models.md 4.4.
struct Published {
  const char* file;
  std::int64_t layers, d, length;
  std::int64_t ids, numbers;  ///< one of them
  std::int64_t classes;
  bool batch_norm, prenorm, bidirectional;
  double dropout, filter_lr, tap_dropout, squash, lr, weight_decay;
  std::int64_t batch, steps, warmup;
  const char* pool;
};

const Published kPublished[] = {
    // clang-format off
    {"lra/listops",    8, 128, 2048,  18, 0, 10, true,  false, false, 0.0, 5e-4, 0.2, 0.002, 0.01,  0.05, 50, 80'000,  10'000, "mean"},
    {"lra/text",       6, 256, 4096,  135, 0, 2, true,  true,  false, 0.0, 1e-3, 0.2, 0.003, 0.01,  0.05, 16, 50'000,  5'000,  "mean"},
    {"lra/retrieval",  6, 256, 4000,  98, 0, 2,  true,  true,  false, 0.0, 1e-4, 0.1, 0.004, 0.01,  0.05, 64, 50'000,  2'500,  "retrieval"},
    {"lra/image",      6, 512, 1024,  0, 1, 10,  false, false, false, 0.1, 1e-3, 0.2, 0.003, 0.01,  0.05, 50, 200'000, 1'000,  "mean"},
    {"lra/pathfinder", 6, 256, 1024,  0, 1, 2,   true,  true,  true,  0.0, 1e-3, 0.3, 0.001, 0.004, 0.03, 64, 500'000, 2'500,  "last"},
    {"lra/pathx",      6, 256, 16384, 0, 1, 2,   true,  true,  true,  0.0, 5e-4, 0.3, 0.001, 5e-4,  0.05, 16, 500'000, 10'000, "mean"},
    {"images/scifar",  6, 512, 1024,  0, 3, 10,  false, false, false, 0.1, 1e-3, 0.2, 0.001, 0.01,  0.05, 50, 300'000, 1'000,  "mean"},
    // The stand-alone program's rate falls once an epoch over 300 of them; LC-1 makes it see ahead.
    {"images/scifar_standalone", 6, 256, 1024, 0, 3, 10, false, false, true, 0.1, 1e-3, 0.2, 0.001, 0.01, 0.05, 50, 270'000, 0, "mean"},
    // clang-format on
};

TEST(LongConvConfigs, AreThePublishedOnes) {
  for (const Published& row : kPublished) {
    SCOPED_TRACE(row.file);
    train::RunConfig run;
    config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/" + row.file + ".toml");
    ModelConfig& model = run.model;
    // What the data would settle.
    model.vocab_size.set(row.ids);
    model.d_input.set(row.numbers);
    model.l_max.set(row.length);
    model.head.kind.set("classifier");
    model.head.n_classes.set(row.classes);
    EXPECT_TRUE(row.numbers > 0 || run.data.seq_len() == row.length);
    EXPECT_EQ(model.family(), "long_conv");
    EXPECT_EQ(model.n_layers(), row.layers);
    EXPECT_EQ(model.norm(), row.batch_norm ? "batch" : "layer");
    EXPECT_EQ(model.prenorm(), row.prenorm);
    EXPECT_EQ(model.resid_dropout(), row.dropout);
    EXPECT_EQ(model.filter.lr(), row.filter_lr);
    EXPECT_EQ(model.filter.dropout(), row.tap_dropout);
    EXPECT_EQ(model.filter.squash(), row.squash);
    EXPECT_EQ(run.optim.lr(), row.lr);
    EXPECT_EQ(run.optim.weight_decay(), row.weight_decay);
    EXPECT_THAT(run.optim.betas(), ::testing::ElementsAre(0.9, 0.999));
    EXPECT_EQ(run.optim.clip_norm(), 0.0);
    EXPECT_EQ(run.data.batch_size(), row.batch);
    EXPECT_EQ(run.schedule.max_steps(), row.steps);
    EXPECT_EQ(run.schedule.warmup_steps(), row.warmup);
    EXPECT_EQ(model.head.pool(), row.pool);

    const std::int64_t d = row.d;
    const std::int64_t c = 2;
    const std::int64_t layer =
        (row.bidirectional ? 2 : 1) * c * d * row.length + c * d + 2 * d * c * d + 2 * d + 2 * d;
    const std::int64_t encoder = row.ids > 0 ? row.ids * d : row.numbers * d + d;
    const bool pairs = std::string(row.pool) == "retrieval";
    const std::int64_t decoder =
        pairs ? 4 * d * d + d + d * row.classes + row.classes : d * row.classes + row.classes;
    EXPECT_EQ(models::cost(model).parameters,
              encoder + row.layers * layer + (row.prenorm ? 2 * d : 0) + decoder);
  }
}

std::string refused(const std::string& lines) {
  ModelConfig config;
  return message_of<ConfigError>([&] {
    configure_long_conv(config, lines);
    models::build(config);
  });
}

TEST(LongConvFamily, SaysWhatItCannotBe) {
  EXPECT_THAT(refused(kHead + "[filter]\nsmooth = 4\n"),
              AllOf(HasSubstr("m.toml:10:"), HasSubstr("smooth"), HasSubstr("odd")));
  EXPECT_THAT(refused(kHead + "[filter]\nsmooth = 3\nsmooth_freq = 3\n"), HasSubstr("smooth_freq"));
  EXPECT_THAT(refused("[head]\nkind = \"lm\"\n"), HasSubstr("head.kind"));
  EXPECT_THAT(refused("[head]\nkind = \"classifier\"\n"), HasSubstr("head.n_classes"));
  EXPECT_THAT(refused("vocab_size = 8\n" + kHead), HasSubstr("vocab_size = 8 and d_input = 3"));
  EXPECT_THAT(refused("postact = \"none\"\n" + kHead), HasSubstr("filter.channels = 1"));
  const auto model = small(kHead);
  EXPECT_THAT(message_of<ConfigError>([&] {
                model->logits(torch::randn({1, 11, 3}));
              }),
              HasSubstr("model.l_max = 10"));
  EXPECT_THAT(message_of<ShapeError>([&] { model->logits(token_ids(1, 4, 0, 3)); }),
              HasSubstr("series [B, L, 3]"));
}

TEST(LongConvModel, DropsOutWhatTheEncoderGives) {
  for (const bool of_ids : {false, true}) {
    models::ModelConfig config;
    config.family.set("long_conv");
    config.d_model.set(4);
    config.n_layers.set(1);
    config.l_max.set(8);
    config.filter.dropout.set(0.0);
    config.resid_dropout.set(0.0);
    config.embed_dropout.set(0.5);
    config.head.kind.set("classifier");
    config.head.n_classes.set(2);
    if (of_ids) {
      config.vocab_size.set(5);
    } else {
      config.d_input.set(2);
    }
    const at::Tensor input =
        of_ids ? at::arange(16, at::kLong).remainder(5).view({2, 8}) : det(100, {2, 8, 2});
    const auto model = models::build(config, at::kDouble);
    const at::NoGradGuard no_grad;
    model->eval();
    EXPECT_TRUE(at::equal(model->logits(input), model->logits(input)));
    model->train();
    torch::manual_seed(3);
    EXPECT_FALSE(at::equal(model->logits(input), model->logits(input)));
    config.embed_dropout.set(0.0);
    const auto without = models::build(config, at::kDouble);
    without->train();
    EXPECT_TRUE(at::equal(without->logits(input), without->logits(input)));
  }
}

}  // namespace
}  // namespace longconv::testing
