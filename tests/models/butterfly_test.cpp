// The learned butterfly: golden G13 with its gradients through the module that trains, and what it
// is to LongConv's layer, family and weights.

#include "models/layers/butterfly.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "models/cost/cost.h"
#include "models/layers/long_conv_layer.h"
#include "models/weights/import.h"
#include "models/weights/model_folder.h"
#include "tests/models/goldens.h"
#include "tests/models/weights_files.h"
#include "tests/support/butterfly_golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"
#include "train/config.h"

#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <gmock/gmock.h>

namespace longconv::testing {
namespace {

namespace fs = std::filesystem;
using models::ModelConfig;
using ::testing::Contains;
using ::testing::HasSubstr;

class ButterflyGoldens : public Goldens {
 protected:
  /// Sums of products alone, as convolutions are.
  [[nodiscard]] double tolerance() const override {
    return GetParam().dtype == at::kFloat ? 1e-5 : kFloat64;  // autocast leaves transforms alone
  }
};

INSTANTIATE_TEST_SUITE_P(EveryPrecision, ButterflyGoldens, ::testing::ValuesIn(kPrecisions),
                         [](const auto& test) { return std::string(test.param.name); });

std::shared_ptr<models::ButterflyTransform> golden_transform(const at::TensorOptions& options) {
  ModelConfig config;
  auto transform = std::make_shared<models::ButterflyTransform>(config.filter, 3, options);
  const at::NoGradGuard no_grad;
  for (auto& parameter : transform->named_parameters()) {
    parameter->copy_(torch::tensor(g13_values(parameter->size(1)), at::kDouble)
                         .view(parameter->sizes())
                         .to(options));
  }
  return transform;
}

std::string title(const ButterflyGolden& golden) {
  return "G13, N = " + std::to_string(golden.length);
}

TEST_P(ButterflyGoldens, Transform) {
  const auto transform = golden_transform(options());
  for (const ButterflyGolden& golden : kG13) {
    const auto length = static_cast<std::int64_t>(golden.length);
    const at::Tensor x = det(100, {2, 3, length}, options());
    const auto run = [&] { return ops::butterfly_transform(x, transform->matrices()); };
    EXPECT_TRUE(agrees(title(golden) + ": real part", at::real(run()), golden.real));
    EXPECT_TRUE(agrees(title(golden) + ": imaginary part", at::imag(run()), golden.imaginary));
    const at::NoGradGuard no_grad;
    const at::Tensor exact = at::fft_fft(x);
    EXPECT_FALSE(matches(at::real(exact), golden.real, kFloat32)) << "no matrix learned anything";
    EXPECT_FALSE(matches(at::zeros_like(at::real(exact)), golden.real, kFloat32)) << "zeros pass";
  }
}

/// sum(re * det(200) + im * det(201)) over the golden's rows, by the plain loops.
double weighed(const ButterflyGolden& golden, const reference::ButterflyMatrices& matrices,
               const std::vector<double>& x) {
  const std::size_t n = golden.length;
  const std::vector<double> of_real = det(200, x.size());
  const std::vector<double> of_imaginary = det(201, x.size());
  double sum = 0.0;
  for (std::size_t row = 0; row < x.size() / n; ++row) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row * n);
    const std::vector<reference::Complex> y =
        reference::butterfly({begin, begin + static_cast<std::ptrdiff_t>(n)}, matrices);
    for (std::size_t j = 0; j < n; ++j) {
      sum += y[j].real() * of_real[row * n + j] + y[j].imag() * of_imaginary[row * n + j];
    }
  }
  return sum;
}

TEST_P(ButterflyGoldens, TransformGradients) {
  for (const ButterflyGolden& golden : kG13) {
    const auto transform = golden_transform(options());
    const auto length = static_cast<std::int64_t>(golden.length);
    const at::Tensor x = det(100, {2, 3, length}, options()).requires_grad_();
    const at::Tensor y = ops::butterfly_transform(x, transform->matrices());
    const at::Tensor loss = (at::real(y) * det(200, {2, 3, length}, options()) +
                             at::imag(y) * det(201, {2, 3, length}, options()))
                                .sum();
    loss.backward();
    // The sum is linear in x and at most quadratic in a matrix: central differences are exact, with
    // a step as large as the values.
    constexpr double kStep = 1.0;
    const auto compare = [&](const at::Tensor& gradient,
                             const std::function<double(std::size_t, double)>& at) {
      const std::vector<double> got = values(gradient);
      double error = 0.0;
      double largest = 0.0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double want = (at(i, kStep) - at(i, -kStep)) / (2.0 * kStep);
        error = std::max(error, std::abs(got[i] - want));
        largest = std::max(largest, std::abs(want));
      }
      ASSERT_GT(largest, 0.0) << "a gradient of zeros proves nothing";
      record(title(golden) + ": gradients", error / largest);
      EXPECT_LE(error / largest, tolerance());
    };
    const std::vector<double> input = det(100, 6 * golden.length);
    compare(x.grad(), [&](std::size_t i, double step) {
      std::vector<double> moved = input;
      moved[i] += step;
      return weighed(golden, g13_matrices(), moved);
    });
    for (const auto& parameter : transform->named_parameters()) {
      const std::int64_t n = parameter->size(1);
      const bool used = n == 16 || n == (golden.length == 64 ? 4 : 2);  // 16 x 4, 16 x 16 x 2
      ASSERT_EQ(parameter->grad().defined(), used) << parameter.key();
      if (!used) continue;
      compare(parameter->grad(), [&](std::size_t i, double step) {
        reference::ButterflyMatrices moved = g13_matrices();
        std::vector<double> of_n = g13_values(n);
        of_n[i] += step;
        moved[n] = as_complex(of_n);
        return weighed(golden, moved, input);
      });
    }
  }
}

// ---- the layer, the family, the weights --------------------------------------------------------

void configure_butterfly(ModelConfig& config, const std::string& filter = "") {
  config::parse(config,
                "family = \"long_conv\"\nd_model = 4\nn_layers = 2\nl_max = 8\nd_input = 3\n"
                "[head]\nkind = \"classifier\"\nn_classes = 5\n"
                "[filter]\nsquash = 0\ndropout = 0\ntransform = \"butterfly\"\n" +
                    filter,
                "m.toml");
}

std::shared_ptr<models::Model> small(const std::string& filter = "",
                                     const at::TensorOptions& options = at::kDouble) {
  ModelConfig config;
  configure_butterfly(config, filter);
  torch::manual_seed(3);
  auto model = models::build(config, options);
  model->eval();
  const at::NoGradGuard no_grad;
  for (auto& p : model->named_parameters()) {
    if (p.key().ends_with("kernel.kernel")) p->mul_(200.0);
  }
  return model;
}

TEST(ButterflyLayer, StartsAsTheConvolutionAndLearnsToDiffer) {
  for (const char* filter : {"", "bidirectional = true\n", "transform_per_channel = true\n",
                             "alias = true\nbidirectional = true\n"}) {
    SCOPED_TRACE(filter);
    const auto exact = small(std::string("transform_lr = 0\n") + filter);
    ModelConfig plain;
    configure_butterfly(plain, filter);
    plain.filter.transform.set("fft");
    const auto by_fft = models::build(plain, at::kDouble);
    by_fft->eval();
    const at::NoGradGuard no_grad;
    auto from = exact->named_parameters();
    for (auto& p : by_fft->named_parameters()) p->copy_(from[p.key()]);
    for (const std::int64_t length : {8, 5}) {
      const at::Tensor x = torch::randn({2, length, 3}, at::kDouble);
      const at::Tensor want = by_fft->logits(x);
      EXPECT_TRUE(at::allclose(exact->logits(x), want, 1e-10, 1e-12));
      for (const char* name :
           {"layers.0.layer.block_fft_u.mat_16", "layers.1.layer.block_fft_k.mat_16"}) {
        const at::Tensor kept = from[name].clone();
        from[name].add_(torch::randn_like(kept), 0.1);
        if (length == 8) {  // 16 points: the matrix of order 16
          EXPECT_FALSE(at::allclose(exact->logits(x), want, 1e-4)) << name << " does nothing";
        }
        from[name].copy_(kept);
      }
    }
  }
}

TEST(ButterflyLayer, EveryMatrixThatItsLengthNeedsLearns) {
  const auto model = small();
  model->train();
  model->logits(torch::randn({2, 8, 3}, at::kDouble)).square().sum().backward();
  for (const auto& p : model->named_parameters()) {
    const bool matrix = p.key().find("block_fft_") != std::string::npos;
    const bool needed = !matrix || p.key().ends_with("mat_16");
    ASSERT_EQ(p.value().grad().defined(), needed) << p.key();
    if (!needed) continue;
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0.0) << p.key();
  }
}

TEST(ButterflyLayer, AdditiveMatricesStandOnTheExactOnes) {
  ModelConfig config;
  configure_butterfly(config, "transform_additive = true\ntransform_dropout = 0.5\n");
  models::ButterflyTransform transform(config.filter, 4, at::kDouble);
  const auto learned = transform.named_parameters()["mat_4"];
  EXPECT_LT(learned.abs().max().item<double>(), 0.06);
  const at::Tensor exact = ops::dft_matrix(4, at::kDouble);
  transform.eval();
  EXPECT_TRUE(at::allclose(transform.matrices()[1][0] - exact, learned[0]));
  transform.train();
  const at::Tensor dropped = transform.matrices()[1][0] - exact;
  const at::Tensor gone = dropped.abs() < 1e-12;
  EXPECT_TRUE(gone.any().item<bool>());
  EXPECT_FALSE(gone.all().item<bool>());
  EXPECT_TRUE(at::allclose(dropped.masked_select(~gone), 2.0 * learned[0].masked_select(~gone)));
}

TEST(ButterflyFamily, HasItsNamesRatesAndSize) {
  ModelConfig config;
  configure_butterfly(config, "transform_lr = 2e-4\n");
  const auto model = models::build(config);
  const std::int64_t of_fft = [] {
    ModelConfig plain;
    configure_butterfly(plain);
    plain.filter.transform.set("fft");
    return models::cost(plain).parameters;
  }();
  const std::int64_t matrices = 2 * (4 + 16 + 64 + 256);
  EXPECT_EQ(models::cost(config).parameters, of_fft + 2 * 2 * matrices);
  EXPECT_GT(models::cost(config).forward_flops_per_token(), 0.0);
  std::size_t own = 0;
  for (const models::ParameterOverride& each : model->overrides()) {
    if (each.name.find("block_fft_") == std::string::npos) continue;
    EXPECT_EQ(each.lr, 2e-4);
    EXPECT_EQ(each.weight_decay, 0.0);
    ++own;
  }
  EXPECT_EQ(own, 16U);
  ModelConfig other;
  other.filter.transform.set("butterfly");
  other.l_max.set(8);
  other.vocab_size.set(8);
  EXPECT_THAT(message_of<ConfigError>([&] { models::build(other); }),
              HasSubstr("filter.transform"));
}

TEST(ButterflyFamily, TheConfigurationIsThePublishedOne) {
  train::RunConfig run;
  config::load(run, std::string(LONGCONV_SOURCE_DIR) + "/configs/images/scifar_butterfly.toml");
  ModelConfig& model = run.model;
  EXPECT_EQ(model.filter.transform(), "butterfly");
  EXPECT_EQ(model.filter.transform_lr(), 1e-3);
  model.d_input.set(3);
  model.l_max.set(1024);
  model.head.kind.set("classifier");
  model.head.n_classes.set(10);
  const std::int64_t d = 512;
  const std::int64_t layer =
      2 * d * 1024 + 2 * d + 2 * d * 2 * d + 2 * d + 2 * d + 4 * (4 + 16 + 64 + 256);
  EXPECT_EQ(models::cost(model).parameters, 3 * d + d + 6 * layer + 10 * d + 10);
}

TEST(ButterflyWeights, AreImportedWithTheirSecondNames) {
  const auto model = small("transform_per_channel = true\n", at::kFloat);
  {
    const at::NoGradGuard no_grad;
    for (auto& p : model->named_parameters()) {
      if (p.key().find("block_fft_") != std::string::npos) p->add_(torch::randn_like(*p), 0.1);
    }
  }
  NamedValues tensors = published(*model);
  EXPECT_TRUE(std::any_of(tensors.begin(), tensors.end(), [](const auto& item) {
    return item.first == "layers.1.layer.block_fft_k.dft_matrices.3";
  })) << "the test lacks the second names";
  const TempFolder folder;
  files::create_folders(folder / "out");
  files::write_atomic(folder / "weights.pt", TorchWriter({}, tensors).zip());
  const models::ImportReport report = models::import_weights(
      {folder / "weights.pt", {"model.filter.squash=0.0"}, {}}, folder / "out");
  EXPECT_THAT(report.inferred, Contains(HasSubstr("model.filter.transform = butterfly (tensors)")));
  EXPECT_THAT(report.inferred,
              Contains(HasSubstr("model.filter.transform_per_channel = true (tensors)")));
  EXPECT_THAT(report.defaulted, Contains(HasSubstr("model.filter.transform_additive")));
  const models::OpenedModel opened = models::open_model_folder(folder / "out");
  const at::Tensor x = torch::randn({2, 8, 3});
  EXPECT_TRUE(at::equal(opened.model->logits(x), model->logits(x)));
}

}  // namespace
}  // namespace longconv::testing
