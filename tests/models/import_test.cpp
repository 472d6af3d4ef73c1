// Published weights in, a model folder out, and the way back: every layout, every repair, every
// refusal.
#include "models/weights/import.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "core/files/safetensors.h"
#include "models/weights/export.h"
#include "models/weights/model_folder.h"
#include "tests/models/small_models.h"
#include "tests/models/weights_files.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <functional>
#include <limits>

namespace longconv::testing {
namespace {

namespace fs = std::filesystem;
using models::ImportReport;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Tensors = NamedValues;

const std::string kMlp = ".filter_fn.implicit_filter.";

/// As a run with gradient checkpointing saves it: model.backbone.layers.0.mixer.layer.in_proj..
std::string lightning_name(const std::string& name) {
  return "model." + replaced(replaced(name, ".mixer.", ".mixer.layer."), ".mlp.", ".mlp.layer.");
}

std::string hf_name(const std::string& name) {
  return name.starts_with("backbone.") ? "hyena." + name : name;
}

class Import : public ::testing::Test {
 protected:
  Import() { files::create_folders(out_); }

  /// Writes a text into the source folder.
  void write(const std::string& name, const std::string& text) {
    files::create_folders(source_);
    files::write_atomic(source_ / name, std::string_view(text));
  }

  ImportReport import(const fs::path& source, const std::vector<std::string>& overrides = {},
                      const std::vector<std::string>& allow = {}) {
    return models::import_weights({source, overrides, allow}, out_);
  }
  ImportReport import_tensors(const Tensors& tensors,
                              const std::vector<std::string>& overrides = {},
                              const std::vector<std::string>& allow = {}) {
    write("w.pt", TorchWriter({}, tensors).zip());
    return import(source_ / "w.pt", overrides, allow);
  }
  std::string refused(const Tensors& tensors) {
    return message_of<CheckpointError>([&] { import_tensors(tensors); });
  }

  void expect_the_golden_model() {
    const models::OpenedModel opened = models::open_model_folder(out_);
    const at::Tensor ids = token_ids(2, 16, 7, 12);
    EXPECT_TRUE(at::equal(opened.model->logits(ids), model_->logits(ids)));
  }

  TempFolder folder_;
  fs::path source_ = folder_ / "source";
  fs::path out_ = folder_ / "out";
  std::shared_ptr<models::Model> model_ = golden_model(SmallModel{}, at::kFloat);  // G4, shift 0.05
  Tensors tensors_ = published(*model_);
};

TEST_F(Import, LightningCheckpointsOfBothLayoutsInAFolder) {
  const std::map<std::string, std::string> more = {{"train_torchmetrics.num_tokens.count", "K\3"}};
  const TorchWriter writer({"state_dict"}, renamed(tensors_, lightning_name), more);
  write("config.json",
        R"({"d_model": 8, "n_layer": 2, "vocab_size": 12, "pad_vocab_size_multiple": 8,
            "checkpoint_mixer": false, "fused_mlp": false, "seed": null,
            "layer": {"_name_": "hyena", "l_max": 20, "w": 10, "lr": 6e-4, "lr_pos_emb": 0.0,
                      "modulate": true}})");
  write("README.md", "a page");
  for (const std::string& text : {writer.zip(), writer.legacy()}) {
    write("weights.ckpt", text);
    const ImportReport report = import(source_);
    expect_the_golden_model();
    EXPECT_EQ(report.published, "HyenaDNA");
    EXPECT_EQ(report.tokenizer, "dna");
    EXPECT_THAT(report.layout, HasSubstr("Lightning checkpoint"));
    EXPECT_THAT(report.ignored, ElementsAre("README.md"));
    EXPECT_THAT(report.defaulted, ElementsAre("model.filter.shift = 0.05 (HyenaDNA)"));
    EXPECT_THAT(report.repaired, Contains(HasSubstr(".layer taken out of")));
    EXPECT_THAT(report.repaired, Contains(HasSubstr("model. taken off")));
    EXPECT_THAT(report.inferred,
                Contains("model.l_max = 18 (tensors; config.json says layer.l_max = 20)"));
    EXPECT_THAT(report.dropped, ElementsAre(HasSubstr("num_tokens.count (no tensor)")));
    const models::OpenedModel opened = models::open_model_folder(out_);
    EXPECT_EQ(opened.file->model.vocab_size(), 12);
    EXPECT_EQ(opened.file->model.filter.lr(), 6e-4);
    EXPECT_FALSE(opened.file->model.filter.train_positions());
    EXPECT_THAT(files::read_text(out_ / "README.md"),
                AllOf(HasSubstr("sha256"), HasSubstr("model.filter.shift = 0.05")));
  }
}

TEST_F(Import, StateDictsSafetensorsAndShards) {
  write("pytorch_model.bin",
        TorchWriter({}, renamed(tensors_, [](const std::string& name) { return "module." + name; }))
            .legacy());
  EXPECT_EQ(import(source_).layout, "state dict, legacy");
  expect_the_golden_model();

  Tensors once = tensors_;  // as safetensors keeps shared tensors: under one name
  for (const char* layer : {"0", "1"}) {
    const std::string mlp = std::string("backbone.layers.") + layer + ".mixer" + kMlp;
    once.erase(mlp + "1.freq");
    once.erase(mlp + "5.freq");
  }
  write_safetensors(source_ / "model.safetensors", renamed(once, hf_name));
  const ImportReport report = import(source_);
  EXPECT_EQ(report.layout, "safetensors") << "it comes before pytorch_model.bin";
  EXPECT_THAT(report.ignored, ElementsAre("pytorch_model.bin"));
  expect_the_golden_model();

  fs::remove(source_ / "model.safetensors");
  Tensors halves[2];
  std::string map;
  for (const auto& [name, tensor] : tensors_) {
    const int half = name.find(".1.") == std::string::npos ? 0 : 1;
    halves[half][name] = tensor;
    map +=
        (map.empty() ? "\"" : ",\"") + name + "\":\"part" + std::to_string(half) + ".safetensors\"";
  }
  for (int half : {0, 1}) {
    write_safetensors(source_ / ("part" + std::to_string(half) + ".safetensors"), halves[half]);
  }
  write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  EXPECT_EQ(import(source_).checksums.size(), 3U);
  expect_the_golden_model();
}

TEST_F(Import, AHeadOfItsOwnStaysOne) {
  tensors_["lm_head.weight"] = tensors_["lm_head.weight"] * 2.0;
  import_tensors(tensors_);
  const models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_FALSE(opened.file->model.tie_embeddings());
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_TRUE(at::allclose(opened.model->logits(ids), model_->logits(ids) * 2.0));
}

// Lightning files have the decoder beside the model, the stand-alone program calls it head.
TEST_F(Import, ClassifiersOfBothPrograms) {
  models::ModelConfig config;
  configure(config, SmallModel{});
  config.head.kind.set("classifier");
  config.head.n_classes.set(3);
  torch::manual_seed(5);
  const auto model = models::build(config, at::TensorOptions(at::kFloat));
  model->eval();
  const Tensors named = published(*model);
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  const Rename lightning = [](const std::string& name) {
    return name.starts_with("decoder.") ? name : "model." + name;
  };
  const Rename stand_alone = [](const std::string& name) {
    return replaced(name, "decoder.0.output_transform.", "head.output_transform.");
  };
  for (const Rename& rename : {lightning, stand_alone}) {
    const ImportReport report = import_tensors(renamed(named, rename));
    EXPECT_THAT(report.inferred, Contains(HasSubstr("model.head.n_classes = 3")));
    EXPECT_THAT(report.defaulted, Contains(HasSubstr("model.head.pool")));
    const models::OpenedModel opened = models::open_model_folder(out_);
    EXPECT_TRUE(at::equal(opened.model->logits(ids), model->logits(ids)));
    const fs::path exported = folder_ / "exported";
    files::create_folders(exported);
    models::export_weights(opened.file->model, out_ / "model.safetensors", "safetensors", exported);
    expect_file(exported / "model.safetensors", renamed(named, lightning));
    EXPECT_THAT(message_of<ConfigError>([&] {
                  models::export_weights(opened.file->model, out_ / "model.safetensors", "hf",
                                         exported);
                }),
                AllOf(HasSubstr("model.head.bias"), HasSubstr("without bias")));
  }
}

// The port's own classifier: score.weight, no bias, read at the token before the padding.
TEST_F(Import, ThePortsClassifierIsReadAndGivenBack) {
  models::ModelConfig config;
  configure(config, SmallModel{});
  config.head.kind.set("classifier");
  config.head.n_classes.set(3);
  config.head.bias.set(false);
  config.head.pool.set("last");
  torch::manual_seed(5);
  const auto model = models::build(config, at::TensorOptions(at::kFloat));
  model->eval();
  const Rename port = [](const std::string& name) {
    return name == "decoder.0.output_transform.weight" ? "score.weight" : hf_name(name);
  };
  const Tensors named = renamed(published(*model), port);
  ASSERT_EQ(named.count("score.weight"), 1U);
  files::create_folders(source_);
  write_safetensors(source_ / "model.safetensors", named);
  const ImportReport report = import(source_);
  EXPECT_EQ(report.published, "HyenaDNA");
  EXPECT_THAT(report.inferred, Contains("model.head.pool = last (tensors)"));
  EXPECT_THAT(report.inferred, Contains("model.head.bias = false (tensors)"));
  const models::OpenedModel opened = models::open_model_folder(out_);
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_TRUE(at::equal(opened.model->logits(ids), model->logits(ids)));
  // Padded on the right: the token before the first [PAD]; on the left: the last one.
  const at::Tensor lengths = torch::tensor({9, 16}, at::kLong);
  EXPECT_TRUE(at::allclose(opened.model->logits({ids, lengths})[0],
                           model->logits(ids.narrow(1, 0, 9))[0], 1e-5, 1e-6));

  const fs::path exported = folder_ / "exported";
  files::create_folders(exported);
  models::export_weights(opened.file->model, out_ / "model.safetensors", "hf", exported);
  expect_file(exported / "model.safetensors", named);
  EXPECT_THAT(
      files::read_text(exported / "config.json"),
      AllOf(HasSubstr("HyenaDNAForSequenceClassification"), HasSubstr("\"num_labels\": 3")));
  const std::string before = files::read_text(out_ / "config.toml");
  import(exported);
  EXPECT_EQ(files::read_text(out_ / "config.toml"), before);

  import(source_, {"model.head.pool=mean"});
  const models::OpenedModel other = models::open_model_folder(out_);
  EXPECT_THAT(message_of<ConfigError>([&] {
                models::export_weights(other.file->model, out_ / "model.safetensors", "hf",
                                       exported);
              }),
              AllOf(HasSubstr("model.head.pool"), HasSubstr("the last token")));
}

// H3's layers have q_proj, k_proj, v_proj and output_linear by nature; attention's are old names.
TEST_F(Import, H3WithLongConvolutionsAndItsAttention) {
  models::ModelConfig config;
  config.family.set("h3_conv");
  config.d_model.set(8);
  config.n_layers.set(3);
  config.l_max.set(16);
  config.vocab_size.set(16);
  config.attention.layers.set({1});
  config.attention.n_heads.set(2);
  torch::manual_seed(5);
  const auto model = models::build(config, at::TensorOptions(at::kFloat));
  model->eval();
  {
    const at::NoGradGuard no_grad;
    for (auto& parameter : model->named_parameters()) {
      if (parameter.key().ends_with("kernel.kernel")) parameter->mul_(100.0);
    }
  }
  write("config.json", R"({"attn_layer_idx": [1], "attn_cfg": {"num_heads": 2, "dropout": 0.0},
                           "layer": {"_name_": "h3-conv", "l_max": 16, "lam": 0.001}})");
  write(
      "weights.ckpt",
      TorchWriter({"state_dict"}, renamed(published(*model),
                                          [](const std::string& name) { return "model." + name; }))
          .zip());
  const ImportReport report = import(source_);
  EXPECT_EQ(report.family, "h3_conv");
  EXPECT_THAT(report.inferred, Contains("model.attention.layers = [1] (tensors)"));
  EXPECT_THAT(report.inferred, Contains(HasSubstr("model.filter.squash = 0.001")));
  EXPECT_THAT(report.inferred, Contains(HasSubstr("model.attention.n_heads = 2")));
  EXPECT_THAT(report.defaulted, Contains(HasSubstr("model.filter.smooth = 0")));
  models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_EQ(opened.file->model.l_max(), 16);
  EXPECT_EQ(opened.file->model.attention.dropout(), 0.0);
  const at::Tensor ids = token_ids(2, 16, 0, 16);
  EXPECT_FALSE(at::equal(opened.model->logits(ids), model->logits(ids))) << "another squash";
  import(source_, {"model.filter.squash=0.003"});
  opened = models::open_model_folder(out_);
  EXPECT_TRUE(at::equal(opened.model->logits(ids), model->logits(ids)));

  NamedValues broken = published(*model);
  broken.erase("backbone.layers.0.mixer.k_kernel.kernel");
  EXPECT_THAT(refused(broken), HasSubstr("backbone.layers.0.mixer.k_kernel.kernel is missing"));
}

TEST_F(Import, OldNamesAndNormsBehindTheBlocks) {
  const auto old_name = [](const std::string& name) {
    if (name == "backbone.embeddings.word_embeddings.weight")
      return std::string("embedding.weight");
    const std::map<std::string, std::string> moves = {{"layers.0.norm1", "norm"},
                                                      {"layers.0.norm2", "layers.0.norm1"},
                                                      {"layers.1.norm1", "layers.0.norm2"},
                                                      {"layers.1.norm2", "layers.1.norm1"},
                                                      {"ln_f", "layers.1.norm2"}};
    std::string out = replaced(name, ".out_proj.", ".output_linear.");
    for (const auto& [now, then] : moves) {
      if (name.starts_with("backbone." + now + ".")) out = replaced(name, now, then);
    }
    return replaced(out, "backbone.", "s4seq.encoder.");
  };
  const ImportReport report = import_tensors(renamed(tensors_, old_name));
  expect_the_golden_model();
  EXPECT_THAT(report.repaired, Contains("norms behind the blocks moved before them"));
  EXPECT_THAT(report.repaired, Contains(HasSubstr("output_linear is out_proj")));
}

TEST_F(Import, SeparateProjectionsOfAttentionAreJoined) {
  models::ModelConfig config;
  configure(config, SmallModel{});
  config.attention.layers.set({1});
  config.attention.n_heads.set(2);
  const auto hybrid = models::build(config);
  hybrid->eval();
  Tensors tensors = published(*hybrid);
  for (const char* kind : {"weight", "bias"}) {
    const std::string mixer = "backbone.layers.1.mixer.";
    const std::vector<at::Tensor> parts = tensors.at(mixer + "Wqkv." + kind).chunk(3);
    const char* names[] = {"q_proj.", "k_proj.", "v_proj."};
    for (int i = 0; i < 3; ++i) tensors[mixer + names[i] + kind] = parts[i].clone();
    tensors.erase(mixer + "Wqkv." + kind);
    tensors[mixer + "output_linear." + kind] = tensors.at(mixer + "out_proj." + kind);
    tensors.erase(mixer + "out_proj." + kind);
  }
  const ImportReport report =
      import_tensors(tensors, {"model.attention.n_heads=2", "model.filter.shift=0.05"});
  EXPECT_THAT(report.published, IsEmpty());
  EXPECT_THAT(report.defaulted, Contains(HasSubstr("model.attention.rotary_dim = 0")));
  const models::OpenedModel opened = models::open_model_folder(out_);
  const at::Tensor ids = token_ids(2, 16, 7, 12);
  EXPECT_TRUE(at::equal(opened.model->logits(ids), hybrid->logits(ids)));
}

TEST_F(Import, OverridesSettleWhatFilesCannotSay) {
  const ImportReport report = import_tensors(tensors_, {"model.filter.shift=0.0"});
  EXPECT_THAT(report.defaulted, ::testing::Not(Contains(HasSubstr("shift"))));
  EXPECT_EQ(models::open_model_folder(out_).file->model.filter.shift(), 0.0);
  EXPECT_THROW(import_tensors(tensors_, {"model.filter.shft=0.0"}), ConfigError);
  EXPECT_THAT(
      message_of<CheckpointError>([&] { import_tensors(tensors_, {"model.vocab_size=20"}); }),
      HasSubstr("has 16 rows, but model.vocab_size = 20"));
}

TEST_F(Import, OtherPrecisionsBecomeFloat32AndNanIsNamed) {
  const std::string bias = "backbone.ln_f.bias";
  const std::string weight = "backbone.ln_f.weight";
  tensors_[weight] = at::full({8}, 1.5).to(at::kBFloat16);
  tensors_["backbone.layers.0.norm1.bias"] = at::full({8}, 0.25).to(at::kHalf);
  tensors_["backbone.layers.0.norm2.bias"] = at::full({8}, 0.1, at::kDouble);
  tensors_[bias][3] = std::numeric_limits<float>::quiet_NaN();
  files::create_folders(source_);
  write_safetensors(source_ / "w.safetensors", tensors_);
  const ImportReport report = import(source_ / "w.safetensors");
  EXPECT_THAT(report.converted, ElementsAre(HasSubstr("norm1.bias from f"),
                                            HasSubstr("from float64"), HasSubstr("from bf16")));
  EXPECT_THAT(report.not_finite, ElementsAre(bias + ": 1 values"));
  const auto loaded = models::state_dict(*models::open_model_folder(out_).model);
  EXPECT_TRUE(at::equal(loaded.at(weight), at::full({8}, 1.5F)));
  EXPECT_TRUE(at::equal(loaded.at("backbone.layers.0.norm2.bias"), at::full({8}, 0.1F)));
}

TEST_F(Import, WhatDoesNotFitIsNamedUnlessAllowed) {
  Tensors tensors = tensors_;
  tensors.erase("backbone.layers.1.norm1.bias");
  tensors["extra.weight"] = at::ones({2, 8});
  EXPECT_THAT(refused(tensors),
              AllOf(HasSubstr("w.pt"), HasSubstr("1 of 55 missing: backbone.layers.1.norm1.bias"),
                    HasSubstr("1 left over: extra.weight"), HasSubstr("--allow")));
  EXPECT_THAT(fs::directory_iterator(out_) == fs::directory_iterator(), true)
      << "nothing is written";
  const ImportReport report = import_tensors(tensors, {}, {"*.norm1.bias", "extra.*"});
  EXPECT_THAT(report.initialised, ElementsAre("backbone.layers.1.norm1.bias"));
  EXPECT_THAT(report.dropped, ElementsAre("extra.weight (left over, allowed)"));

  tensors = tensors_;
  tensors["backbone.layers.1.mlp.fc2.weight"] = at::ones({8, 31});
  EXPECT_THAT(refused(tensors),
              HasSubstr("tensor backbone.layers.1.mlp.fc2.weight: expected [8, 32] float32, the "
                        "source has [8, 31] float32"));
  tensors = tensors_;
  tensors["backbone.layers.0.mixer" + kMlp + "3.freq"].add_(1.0);
  EXPECT_THAT(refused(tensors),
              AllOf(HasSubstr("1.freq"), HasSubstr("3.freq"), HasSubstr("differ")));
  tensors = tensors_;
  tensors.erase("backbone.layers.0.mixer.filter_fn.pos_emb.z");
  EXPECT_THAT(refused(tensors), HasSubstr("pos_emb.z is missing"));
  EXPECT_THAT(refused({{"bert.pooler.dense.weight", at::ones({2, 2})}}),
              HasSubstr("no model family knows these tensors (bert.pooler.dense.weight, ..)"));
  tensors = tensors_;
  tensors["model.backbone.ln_f.bias"] = at::ones({8});
  EXPECT_THAT(refused(tensors), HasSubstr("another tensor would be called backbone.ln_f.bias"));
}

TEST_F(Import, AnObjectIsAnErrorOnlyWhereATensorIsNeeded) {
  const auto text = [&](const std::string& name) {
    Tensors tensors = tensors_;
    tensors.erase(name);
    return TorchWriter({}, tensors, {{name, pickled_program()}}).zip();
  };
  write("w.pt", text("callbacks"));
  EXPECT_THAT(import(source_ / "w.pt").dropped, ElementsAre("callbacks (no tensor)"));
  expect_the_golden_model();
  write("w.pt", text("backbone.ln_f.bias"));
  EXPECT_THAT(message_of<CheckpointError>([&] { import(source_ / "w.pt"); }),
              HasSubstr("tensor backbone.ln_f.bias: expected a tensor, got object posix.system"));
  EXPECT_FALSE(fs::exists("executed"));
}

TEST_F(Import, FoldersWithoutOrWithTooManyFiles) {
  const auto message = [&] { return message_of<CheckpointError>([&] { import(source_); }); };
  EXPECT_THAT(message(), HasSubstr("no such file or folder"));
  write("a.txt", "");
  EXPECT_THAT(message(), HasSubstr("found none"));
  write("a.ckpt", TorchWriter({"state_dict"}, tensors_).zip());
  import(source_);
  expect_the_golden_model();
  write("b.ckpt", "");
  EXPECT_THAT(message(), HasSubstr("found 2 .ckpt files; name one of them"));
  write("model.safetensors.index.json", R"({"weight_map": {"a": "../../etc/passwd"}})");
  EXPECT_THAT(message(), HasSubstr("expected the name of a file beside the index"));
}

class RoundTrip : public Import, public ::testing::WithParamInterface<const char*> {};

TEST_P(RoundTrip, GivesEveryTensorBackByteForByte) {
  const std::string format = GetParam();
  const Rename names =
      format == "hf" ? Rename(hf_name) : [](const std::string& name) { return "model." + name; };
  import_tensors(renamed(tensors_, names));
  const models::OpenedModel opened = models::open_model_folder(out_);
  const fs::path exported = folder_ / "exported";
  files::create_folders(exported);
  models::export_weights(opened.file->model, out_ / "model.safetensors", format, exported);

  expect_file(exported / "model.safetensors", renamed(tensors_, names));
  const std::string before = files::read_text(out_ / "config.toml");
  const std::string weights = files::read_text(out_ / "model.safetensors");
  import(exported);
  EXPECT_EQ(files::read_text(out_ / "model.safetensors"), weights);
  EXPECT_EQ(files::read_text(out_ / "config.toml"), before);
}

INSTANTIATE_TEST_SUITE_P(Export, RoundTrip, ::testing::Values("safetensors", "hf"));

TEST_F(Import, ThePortIsNotGivenWhatItWouldComputeOtherwise) {
  import_tensors(tensors_, {"model.filter.shift=0.0"});
  const models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_THAT(message_of<ConfigError>([&] {
                models::export_weights(opened.file->model, out_ / "model.safetensors", "hf",
                                       folder_.path());
              }),
              AllOf(HasSubstr("model.filter.shift"), HasSubstr("shift 0.05")));
}

}  // namespace
}  // namespace longconv::testing
