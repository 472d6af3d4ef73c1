// LongConv's weights as safari and the stand-alone program keep them, imported.
#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "models/weights/import.h"
#include "models/weights/model_folder.h"
#include "tests/models/slopes.h"
#include "tests/models/weights_files.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"

#include <gmock/gmock.h>

namespace longconv::testing {
namespace {

namespace fs = std::filesystem;
using models::ImportReport;
using models::ModelConfig;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

/// Two layers of 4 channels, 2 filters each, 8 steps.
std::shared_ptr<models::Model> small(const std::function<void(ModelConfig&)>& change = nullptr) {
  ModelConfig config;
  config.family.set("long_conv");
  config.d_model.set(4);
  config.n_layers.set(2);
  config.l_max.set(8);
  config.d_input.set(3);
  config.norm.set("batch");
  config.head.kind.set("classifier");
  config.head.n_classes.set(5);
  if (change) change(config);
  torch::manual_seed(7);
  auto model = models::build(config, at::TensorOptions(at::kFloat));
  const at::NoGradGuard no_grad;
  for (auto& parameter : model->named_parameters()) {
    if (parameter.key().ends_with("kernel.kernel")) parameter->normal_(0.0, 0.1);
  }
  model->eval();
  return model;
}

class LongConvImport : public ::testing::Test {
 protected:
  LongConvImport() { files::create_folders(out_); }
  ImportReport import(const NamedValues& tensors, const std::vector<std::string>& overrides = {}) {
    files::write_atomic(folder_ / "weights.pt", TorchWriter({}, tensors).zip());
    return models::import_weights({folder_ / "weights.pt", overrides, {}}, out_);
  }
  TempFolder folder_;
  fs::path out_ = folder_ / "out";
};

TEST_F(LongConvImport, SafarisLightningNames) {
  const auto model = small();
  NamedValues tensors = published(*model);
  // Layers and the last norm are the model's in Lightning, encoder and decoder are not.
  tensors = renamed(tensors, [](const std::string& name) {
    return name.starts_with("layers.") || name.starts_with("norm.") ? "model." + name : name;
  });
  tensors["train_torchmetrics.num_tokens.count"] = at::zeros({}, at::kLong);
  const ImportReport report = import(tensors);
  EXPECT_EQ(report.family, "long_conv");
  EXPECT_THAT(report.inferred, AllOf(Contains(HasSubstr("model.norm = batch")),
                                     Contains(HasSubstr("model.prenorm = true")),
                                     Contains(HasSubstr("model.filter.channels = 2")),
                                     Contains(HasSubstr("model.d_input = 3"))));
  EXPECT_THAT(report.defaulted, AllOf(Contains(HasSubstr("model.filter.squash")),
                                      Contains(HasSubstr("model.head.pool"))));
  const auto opened = models::open_model_folder(out_);
  const at::Tensor x = det(100, {2, 8, 3}).to(at::kFloat);
  EXPECT_TRUE(at::equal(opened.model->logits(x), model->logits(x)));
  EXPECT_GT(max_abs(model->logits(x)), 1e-3);
}

TEST_F(LongConvImport, TokensPairsAndOtherNorms) {
  const auto model = small([](ModelConfig& config) {
    config.d_input.set(0);
    config.vocab_size.set(11);
    config.norm.set("layer");
    config.prenorm.set(false);
    config.filter.bidirectional.set(true);
    config.filter.channels.set(1);
    config.postact.set("id");
    config.head.pool.set("retrieval");
    config.head.n_classes.set(2);
  });
  const ImportReport report = import(published(*model), {"model.filter.squash=0.01"});
  EXPECT_THAT(report.inferred, AllOf(Contains(HasSubstr("model.vocab_size = 11")),
                                     Contains(HasSubstr("model.filter.bidirectional = true")),
                                     Contains(HasSubstr("model.postact = id")),
                                     Contains(HasSubstr("model.head.pool = retrieval"))));
  EXPECT_THAT(report.defaulted, ::testing::Not(Contains(HasSubstr("squash"))));
  const auto opened = models::open_model_folder(out_);
  EXPECT_EQ(opened.file->model.filter.squash(), 0.01);
  const at::Tensor ids = token_ids(4, 8, 0, 11);
  EXPECT_EQ(opened.model->logits(ids).sizes(), at::IntArrayRef({2, 2}));
}

// LC-1: a filter of 2 L taps around a circle of 2 L steps is a forward and a reverse filter.
TEST_F(LongConvImport, TheStandAloneProgramsFiltersGoAround) {
  const auto model = small([](ModelConfig& config) {
    config.norm.set("layer");
    config.prenorm.set(false);
    config.filter.bidirectional.set(true);
    config.filter.squash.set(0.0);
  });
  NamedValues tensors;
  std::map<std::string, at::Tensor> circular;
  for (const auto& [name, tensor] : published(*model)) {
    std::string to = name;
    at::Tensor value = tensor;
    if (name.ends_with("kernel.kernel")) {
      const at::Tensor forward = tensor.narrow(0, 0, 2);
      value = at::cat({forward, tensor.narrow(0, 2, 2).flip({2})}, 2);
      to = "conv_layers." + name.substr(7, 1) + ".kernel";
      circular[name] = value;
    } else if (name.starts_with("layers.") && name.find(".norm.") != std::string::npos) {
      to = "norms." + name.substr(7, 1) + name.substr(name.rfind('.'));
    } else if (name.starts_with("layers.")) {
      to = "conv_layers." + replaced(name.substr(7), ".layer.", ".");
    } else {
      to = replaced(replaced(name, "encoder.0.", "encoder."), "decoder.0.output_transform.",
                    "decoder.");
    }
    tensors[to] = value;
  }
  const ImportReport report = import(tensors, {"model.filter.squash=0.0"});
  EXPECT_THAT(report.repaired, Contains(HasSubstr("2 filters around a circle")));
  const auto opened = models::open_model_folder(out_);
  const at::Tensor x = det(100, {2, 8, 3}).to(at::kFloat);
  EXPECT_TRUE(at::equal(opened.model->logits(x), model->logits(x)));

  // What the program computes, written out: y[t] = sum_p k[p] u[(t - p) mod 2 L], u padded to 2 L.
  const at::Tensor k = circular.begin()->second.to(at::kDouble);
  const at::Tensor bent = published(*model).at(circular.begin()->first).to(at::kDouble);
  const at::Tensor u = det(101, at::IntArrayRef{8});
  for (std::int64_t t = 0; t < 8; ++t) {
    double around = 0.0;
    double apart = 0.0;
    for (std::int64_t p = 0; p < 16; ++p) {
      const std::int64_t at = (t - p + 16) % 16;
      if (at < 8) around += k[1][2][p].item<double>() * u[at].item<double>();
    }
    for (std::int64_t s = 0; s < 8; ++s) {
      apart +=
          (s <= t ? bent[1][2][t - s] : bent[3][2][s - t - 1]).item<double>() * u[s].item<double>();
    }
    EXPECT_NEAR(around, apart, 1e-12);
  }
}

TEST_F(LongConvImport, WhatDoesNotFitNamesTheTensor) {
  const auto refused = [&](const std::string& name, const at::Tensor& value) {
    NamedValues tensors = published(*small());
    if (value.defined()) {
      tensors[name] = value;
    } else {
      tensors.erase(name);
    }
    return message_of<CheckpointError>([&] { (void)import(tensors); });
  };
  EXPECT_THAT(refused("layers.0.layer.kernel.kernel", at::zeros({3, 4, 8})),
              AllOf(HasSubstr("layers.0.layer.kernel.kernel"), HasSubstr("[2 or 4, 4, l_max]")));
  EXPECT_THAT(refused("layers.0.layer.output_linear.0.weight", at::zeros({5, 8})),
              AllOf(HasSubstr("output_linear.0.weight"), HasSubstr("8 or 4 rows")));
  EXPECT_THAT(refused("encoder.0.weight", {}), HasSubstr("encoder.0.weight"));
  EXPECT_THAT(refused("layers.1.layer.D", {}), HasSubstr("layers.1.layer.D"));
  EXPECT_THAT(refused("norm.norm.num_batches_tracked", at::zeros({})),
              AllOf(HasSubstr("num_batches_tracked"), HasSubstr("int64")));
  const NamedValues odd = {{"conv_layers.0.kernel", at::zeros({2, 4, 7})}};
  EXPECT_THAT(message_of<CheckpointError>([&] { (void)import(odd); }),
              AllOf(HasSubstr("layers.0.layer.kernel.kernel"), HasSubstr("around a circle")));
}

}  // namespace
}  // namespace longconv::testing
