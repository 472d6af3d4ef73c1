// Weights on disk: the round trip, tensors with several names, refused files, the model folder.

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "core/files/safetensors.h"
#include "models/weights/model_folder.h"
#include "models/weights/open_weights.h"
#include "tests/models/small_models.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <functional>

namespace longconv::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kEmbedding = "backbone.embeddings.word_embeddings.weight";
const std::string kMlp = "backbone.layers.0.mixer.filter_fn.implicit_filter.";

class Weights : public ::testing::Test {
 protected:
  /// Rewrites the saved file after `change` edited its tensors.
  void edit(const std::function<void(std::map<std::string, at::Tensor>&)>& change) {
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, tensor] : models::state_dict(*model_)) {
      tensors[name] = tensor.detach().clone();
    }
    change(tensors);
    std::vector<files::TensorView> views;
    for (const auto& [name, tensor] : tensors) {
      const Dtype dtype = tensor.scalar_type() == at::kDouble ? Dtype::f64 : Dtype::f32;
      views.push_back({name,
                       dtype,
                       tensor.sizes().vec(),
                       {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
    }
    files::write_safetensors(file_, views);
  }

  /// The message with which loading into the golden model is refused.
  std::string refused() {
    return message_of<CheckpointError>([this] { models::load_weights(*model_, file_); });
  }

  TempFolder folder_;
  fs::path file_ = folder_ / "model.safetensors";
  std::shared_ptr<models::Model> model_ = golden_model(g4(false), at::kFloat);
};

/// Another model of the same shape with other values everywhere.
std::shared_ptr<models::Model> other_model(bool tied = true) {
  models::ModelConfig config;
  configure(config, g4(false));
  config.tie_embeddings.set(tied);
  torch::manual_seed(99);
  auto model = models::build(config);
  model->eval();
  return model;
}

TEST_F(Weights, ComeBackBitForBitWithTheirAliases) {
  models::save_weights(*model_, file_, {{"step", "7"}});
  const files::SafetensorsFile file(file_);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.metadata().at("step"), "7");
  EXPECT_EQ(file.tensors().count(kMlp + "1.freq"), 1U);
  EXPECT_EQ(file.tensors().count(kMlp + "3.freq"), 0U) << "one tensor is stored once";
  EXPECT_EQ(file.tensors().count("lm_head.weight"), 0U);
  EXPECT_EQ(file.tensors().count("backbone.layers.1.mixer.filter_fn.modulation.deltas"), 1U);

  const auto copy = other_model();
  models::load_weights(*copy, file_);
  for (const auto& [name, tensor] : models::state_dict(*model_)) {
    EXPECT_TRUE(at::equal(tensor, models::state_dict(*copy).at(name))) << name;
  }
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_TRUE(at::equal(model_->logits(ids), copy->logits(ids)));
}

TEST_F(Weights, TheSharedFrequencyIsOneParameterWithOneGradient) {
  int frequencies = 0;
  for (const auto& parameter : model_->named_parameters()) {
    if (parameter.key().ends_with(".freq")) ++frequencies;
  }
  EXPECT_EQ(frequencies, 2) << "one a layer";
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  next_token_loss(model_->logits(ids), ids).backward();
  // All three activations feed it: G4's golden gradient of freq, sum .2432074507.
  EXPECT_NEAR(model_->named_parameters()[kMlp + "1.freq"].grad().sum().item<double>(), 0.2432074507,
              1e-4 * 0.3);
}

TEST_F(Weights, FilesWithEveryPublishedNameLoad) {
  edit([](auto& tensors) {
    for (const char* layer : {"0", "1"}) {
      const std::string mlp =
          std::string("backbone.layers.") + layer + ".mixer.filter_fn.implicit_filter.";
      tensors[mlp + "1.freq"].mul_(0.5);
      tensors[mlp + "3.freq"] = tensors[mlp + "1.freq"].clone();
      tensors[mlp + "5.freq"] = tensors[mlp + "1.freq"].clone();
    }
    tensors["lm_head.weight"] = tensors[kEmbedding].clone();
  });
  models::load_weights(*model_, file_);
  EXPECT_EQ(model_->named_parameters()[kMlp + "1.freq"][0][0].item<float>(), 5.0F);
}

TEST_F(Weights, AnAliasAloneStandsForTheTensor) {
  edit([](auto& tensors) {
    tensors["lm_head.weight"] = tensors[kEmbedding] + 1.0;
    tensors.erase(kEmbedding);
  });
  const at::Tensor before = model_->named_parameters()[kEmbedding].detach().clone();
  models::load_weights(*model_, file_);
  EXPECT_TRUE(at::equal(model_->named_parameters()[kEmbedding].detach(), before + 1.0));
}

TEST_F(Weights, AliasesThatDisagreeAreRefused) {
  edit([](auto& tensors) { tensors[kMlp + "5.freq"] = tensors[kMlp + "1.freq"] + 1.0; });
  EXPECT_THAT(refused(), AllOf(HasSubstr(file_.string()), HasSubstr(kMlp + "1.freq"),
                               HasSubstr(kMlp + "5.freq"), HasSubstr("differ")));
}

TEST_F(Weights, AnUntiedHeadIsATensorOfItsOwn) {
  const auto untied = other_model(/*tied=*/false);
  models::save_weights(*untied, file_);
  EXPECT_EQ(files::SafetensorsFile(file_).tensors().count("lm_head.weight"), 1U);
  EXPECT_THAT(refused(), AllOf(HasSubstr("lm_head.weight"), HasSubstr("differ")));
}

TEST_F(Weights, MissingLeftOverMisshapenAndForeignTensorsAreNamed) {
  edit([](auto& tensors) { tensors.erase("backbone.ln_f.bias"); });
  EXPECT_THAT(refused(), AllOf(HasSubstr(file_.string()), HasSubstr("missing"),
                               HasSubstr("backbone.ln_f.bias")));
  edit([](auto& tensors) { tensors["backbone.layers.2.norm1.bias"] = at::zeros({8}); });
  EXPECT_THAT(refused(), AllOf(HasSubstr(file_.string()), HasSubstr("does not have"),
                               HasSubstr("backbone.layers.2.norm1.bias")));
  edit([](auto& tensors) { tensors[kMlp + "1.freq"] = at::ones({1, 4}); });
  EXPECT_THAT(refused(), AllOf(HasSubstr(kMlp + "1.freq"), HasSubstr("expected [1, 8] float32"),
                               HasSubstr("file has [1, 4] float32")));
  edit([](auto& tensors) { tensors[kEmbedding] = tensors[kEmbedding].to(at::kDouble); });
  EXPECT_THAT(refused(), AllOf(HasSubstr(kEmbedding), HasSubstr("file has [16, 8] float64")));
  edit([](auto& tensors) { tensors = {{"gpt.wte", at::zeros({3})}}; });
  EXPECT_THAT(refused(), AllOf(HasSubstr("missing"), HasSubstr("gpt.wte")));
  files::write_atomic(file_, std::string_view("not a safetensors file"));
  EXPECT_THAT(refused(), HasSubstr(file_.string()));
}

TEST_F(Weights, ARefusedFileChangesNothing) {
  const auto before = [this] {
    std::map<std::string, at::Tensor> copy;
    for (const auto& [name, tensor] : models::state_dict(*model_)) copy[name] = tensor.clone();
    return copy;
  }();
  edit([](auto& tensors) {
    for (auto& [name, tensor] : tensors) tensor.add_(1.0);
    tensors.erase("backbone.ln_f.weight");
  });
  EXPECT_THAT(refused(), HasSubstr("backbone.ln_f.weight"));
  for (const auto& [name, tensor] : models::state_dict(*model_)) {
    EXPECT_TRUE(at::equal(tensor, before.at(name))) << name;
  }
}

TEST_F(Weights, AModelFolderOpensAsItWasWritten) {
  const fs::path tokenizer = folder_ / "source_tokenizer";
  files::create_folders(tokenizer);
  files::write_atomic(tokenizer / "vocab.json", std::string_view("{}\n"));
  // Inside a larger configuration, as in a run: only [model] may be written.
  struct Run : config::Section {
    Run() : Section(nullptr, "", "run") {}
    config::Key<double> lr{this, "lr", 1.0, "not the model's"};
    models::ModelConfig model{this};
  } run;
  configure(run.model, g4(false));
  run.model.embed_dropout.set(0.25);
  const fs::path folder = folder_ / "exported";
  models::write_model_folder(folder, run.model, *model_, tokenizer, "Trained on nothing.");

  const models::OpenedModel opened = models::open_model_folder(folder);
  EXPECT_EQ(opened.file->model.embed_dropout(), 0.25);
  EXPECT_EQ(opened.file->model.filter.shift(), 0.05);
  EXPECT_EQ(opened.tokenizer, folder / "tokenizer");
  EXPECT_EQ(files::read_text(opened.tokenizer / "vocab.json"), "{}\n");
  EXPECT_FALSE(opened.model->is_training());
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_TRUE(at::equal(opened.model->logits(ids), model_->logits(ids)));
  EXPECT_THAT(files::read_text(folder / "config.toml"), ::testing::Not(HasSubstr("lr = 1.0")));
  EXPECT_THAT(files::read_text(folder / "README.md"),
              AllOf(HasSubstr("Trained on nothing."), HasSubstr("sha256")));
  // What a folder's configuration prints is what it read.
  EXPECT_EQ(config::print(*opened.file), files::read_text(folder / "config.toml"));
}

TEST_F(Weights, AModelOpensWithoutDrawingRandomNumbers) {
  models::save_weights(*model_, file_);
  models::ModelConfig config;
  configure(config, g4(false));
  torch::manual_seed(7);
  const at::Tensor untouched = at::rand({1});
  torch::manual_seed(7);
  const auto opened = models::open_weights(config, file_, at::kFloat, at::kCPU);
  EXPECT_TRUE(at::equal(at::rand({1}), untouched)) << "the generator was used";
  EXPECT_FALSE(opened->is_training());
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  const at::Tensor logits = model_->logits(ids);
  EXPECT_TRUE(at::equal(opened->logits(ids), logits));
  // It is a model like any other: it trains, and moves.
  next_token_loss(opened->logits(ids), ids).backward();
  for (const auto& item : opened->named_parameters()) {
    EXPECT_TRUE(item->grad().defined()) << item.key();
  }
  const auto wide = models::open_weights(config, file_, at::kDouble, at::kCPU);
  EXPECT_EQ(wide->logits(ids).scalar_type(), at::kDouble);
  EXPECT_LT((wide->logits(ids) - logits).abs().max().item<double>(), 1e-4);
  for (const auto& [name, tensor] : models::state_dict(*wide)) {
    EXPECT_TRUE(at::equal(tensor.to(at::kFloat), models::state_dict(*model_).at(name))) << name;
  }
}

TEST_F(Weights, OpeningRefusesWhatLoadingRefuses) {
  models::ModelConfig config;
  configure(config, g4(false));
  const auto says = [&] {
    return message_of<CheckpointError>(
        [&] { models::open_weights(config, file_, at::kFloat, at::kCPU); });
  };
  edit([](auto& tensors) { tensors.erase("backbone.ln_f.weight"); });
  EXPECT_THAT(says(), HasSubstr("missing: backbone.ln_f.weight"));
  edit([](auto& tensors) { tensors["backbone.ln_f.bias"] = at::zeros({9}); });
  EXPECT_THAT(says(), HasSubstr("expected [8] float32, file has [9] float32"));
}

TEST_F(Weights, AFolderThatIsNoModelSaysWhatIsMissing) {
  const std::string message =
      message_of<CheckpointError>([this] { models::open_model_folder(folder_.path()); });
  EXPECT_THAT(message, AllOf(HasSubstr(folder_.path().string()), HasSubstr("config.toml"),
                             HasSubstr("not a model folder")));
}

}  // namespace
}  // namespace longconv::testing
