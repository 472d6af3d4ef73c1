// M2-BERT's published weights in, a model folder out, and the way back; longer models from shorter.
#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "models/weights/export.h"
#include "models/weights/import.h"
#include "models/weights/model_folder.h"
#include "tests/models/slopes.h"
#include "tests/models/small_m2_bert.h"
#include "tests/models/weights_files.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"

#include <gmock/gmock.h>

namespace longconv::testing {
namespace {

namespace fs = std::filesystem;
using models::ImportReport;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kPositionIds = "bert.embeddings.position_ids";

/// As published folders have it, of the golden's size.
constexpr const char* kConfigJson =
    R"({"architectures": ["BertForMaskedLM"], "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 12, "intermediate_size": 16, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "max_position_embeddings": 12, "long_conv_l_max": 12,
        "layer_norm_eps": 1e-12, "vocab_size": 16, "type_vocab_size": 2, "hyena_w": 10,
        "hyena_w_mod": 1, "hyena_emb_dim": 5, "hyena_filter_order": 8, "bidirectional": true,
        "residual_long_conv": true, "hyena_training_additions": false, "use_flash_mm": false})";

NamedValues with_position_ids(NamedValues tensors, std::int64_t length = 12) {
  tensors[kPositionIds] = at::arange(length, at::kLong).unsqueeze(0);
  return tensors;
}

Rename prefixed(const std::string& prefix) {
  return [prefix](const std::string& name) { return std::string(prefix).append(name); };
}

class M2Import : public ::testing::Test {
 protected:
  M2Import() {
    files::create_folders(out_);
    write("config.json", kConfigJson);
  }

  void write(const std::string& name, const std::string& text) {
    files::create_folders(source_);
    files::write_atomic(source_ / name, std::string_view(text));
  }
  ImportReport import(const fs::path& source, const std::vector<std::string>& overrides = {},
                      const std::vector<std::string>& allow = {}) {
    return models::import_weights({source, overrides, allow}, out_);
  }
  ImportReport import_tensors(const NamedValues& tensors,
                              const std::vector<std::string>& overrides = {}) {
    write("pytorch_model.bin", TorchWriter({}, tensors).zip());
    return import(source_, overrides);
  }
  void expect_the_golden_model() {
    const models::OpenedModel opened = models::open_model_folder(out_);
    const at::Tensor ids = token_ids(2, 12, 1, 16);
    EXPECT_TRUE(at::equal(opened.model->logits(ids), model_->logits(ids)));
  }

  TempFolder folder_;
  fs::path source_ = folder_ / "source";
  fs::path out_ = folder_ / "out";
  std::shared_ptr<models::Model> model_ = golden_m2_bert(true, at::kFloat);
  NamedValues tensors_ = with_position_ids(published(*model_));
};

TEST_F(M2Import, HuggingFaceFolders) {
  const ImportReport report = import_tensors(tensors_);
  expect_the_golden_model();
  EXPECT_EQ(report.family, "m2_bert");
  EXPECT_EQ(report.layout, "state dict, zip");
  EXPECT_THAT(report.dropped, ElementsAre("bert.embeddings.position_ids (counts the positions)"));
  EXPECT_THAT(report.inferred, Contains("model.l_max = 12 (tensors)"));
  EXPECT_THAT(report.inferred, Contains("model.norm_eps = 1e-12 (config.json: layer_norm_eps)"));
  EXPECT_THAT(report.defaulted, ElementsAre("model.vocab_size = 16 (default)"));
  const models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_EQ(opened.file->model.d_inner(), 16);
  EXPECT_EQ(opened.file->model.mlp.blocks(), 4);
  EXPECT_EQ(opened.file->model.filter.sine_freq(), 10.0);
}

TEST_F(M2Import, ComposerCheckpointsOfBothLayouts) {
  // Beside state -> model such files hold objects; here one sits among the tensors as well.
  const TorchWriter writer({"state", "model"}, renamed(tensors_, prefixed("model.")),
                           {{"model.extra", pickled_program()}});
  for (const std::string& text : {writer.zip(), writer.legacy()}) {
    write("ep0-ba70000-rank0.pt", text);
    const ImportReport report = import(source_ / "ep0-ba70000-rank0.pt",
                                       {"model.norm_eps=1e-12", "model.filter.sine_freq=10.0"});
    expect_the_golden_model();
    EXPECT_THAT(report.layout, HasSubstr("Composer checkpoint"));
    EXPECT_THAT(report.repaired, Contains(HasSubstr("model. taken off")));
    EXPECT_THAT(report.dropped, Contains("extra (no tensor)"));
    EXPECT_FALSE(fs::exists("executed"));
  }
  write("module.pt",
        TorchWriter({"state", "model"}, renamed(tensors_, prefixed("module.model."))).zip());
  const ImportReport report =
      import(source_ / "module.pt", {"model.norm_eps=1e-12", "model.filter.sine_freq=10.0"});
  EXPECT_THAT(report.repaired, Contains(HasSubstr("module. taken off")));
  expect_the_golden_model();
}

TEST_F(M2Import, BuffersOfOtherConvolutionsAreLeftOut) {
  tensors_["bert.encoder.layer.0.attention.flashfftconv.f_sqrt_N"] = at::ones({2, 2});
  EXPECT_THAT(import_tensors(tensors_).dropped,
              Contains("bert.encoder.layer.0.attention.flashfftconv.f_sqrt_N (a buffer of "
                       "FlashFFTConv)"));
  expect_the_golden_model();
}

TEST_F(M2Import, PublishedSizesAreRecognised) {
  models::ModelConfig config;
  configure_m2_bert(config);
  config.vocab_size.set(30522);
  config.mixer_norm.set(true);
  config.mlp.blocks.set(2);
  const auto large = models::build(config);
  fs::remove(source_ / "config.json");
  const ImportReport report = import_tensors(with_position_ids(published(*large)));
  EXPECT_EQ(report.published, "M2-BERT");
  EXPECT_EQ(report.tokenizer, "bert");
  EXPECT_THAT(report.defaulted, Contains("model.norm_eps = 1e-12 (M2-BERT)"));
  EXPECT_THAT(report.defaulted, Contains("model.vocab_size = 30522 (M2-BERT)"));
  const models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_TRUE(opened.file->model.mixer_norm());
  EXPECT_EQ(opened.file->model.mlp.blocks(), 2);
}

/// The tensors' own word on each variant.
TEST_F(M2Import, EveryVariantIsReadFromItsTensors) {
  const std::pair<const char*, std::function<void(models::ModelConfig&)>> variants[] = {
      {"dense, one direction",
       [](models::ModelConfig& c) {
         c.mlp.blocks.set(0);
         c.filter.bidirectional.set(false);
       }},
      {"no gate, one convolution",
       [](models::ModelConfig& c) {
         c.mlp.glu.set(false);
         c.residual_long_conv.set(false);
       }},
      {"no gate, dense, untied",
       [](models::ModelConfig& c) {
         c.mlp.glu.set(false);
         c.mlp.blocks.set(0);
         c.tie_embeddings.set(false);
       }},
      {"padded blocks",
       [](models::ModelConfig& c) {
         c.mlp.blocks.set(3);
         c.d_inner.set(16);
       }},
  };
  fs::remove(source_ / "config.json");
  for (const auto& [name, change] : variants) {
    SCOPED_TRACE(name);
    models::ModelConfig config;
    configure_m2_bert(config);
    change(config);
    const auto model = models::build(config);
    model->eval();
    write("config.json", R"({"intermediate_size": 16, "layer_norm_eps": 1e-12, "hyena_w": 10})");
    import_tensors(with_position_ids(published(*model)));
    const models::OpenedModel opened = models::open_model_folder(out_);
    const at::Tensor ids = token_ids(2, 12, 1, 16);
    EXPECT_TRUE(at::equal(opened.model->logits(ids), model->logits(ids)));
  }
}

TEST_F(M2Import, WhatDoesNotFitIsNamed) {
  const auto refused = [&](const NamedValues& tensors) {
    return message_of<CheckpointError>([&] { import_tensors(tensors); });
  };
  NamedValues tensors = tensors_;
  const std::string missing = "bert.encoder.layer.1.attention.filter_fn2.implicit_filter_rev.6";
  tensors.erase(missing + ".weight");
  tensors["score.weight"] = at::ones({2, 8});
  EXPECT_THAT(refused(tensors),
              AllOf(HasSubstr(missing + ".weight;"), HasSubstr("left over: score.weight")));
  tensors = tensors_;
  tensors[kPositionIds].add_(1);
  EXPECT_THAT(refused(tensors), HasSubstr("left over: bert.embeddings.position_ids"));
  tensors = tensors_;
  tensors["bert.encoder.layer.0.attention.filter_fn.implicit_filter_rev.3.freq"].add_(1.0);
  EXPECT_THAT(refused(tensors), AllOf(HasSubstr("implicit_filter.1.freq"), HasSubstr("differ")));
  write("config.json", R"({"hyena_w_mod": 2})");
  EXPECT_THAT(refused(tensors_), AllOf(HasSubstr("config.json"), HasSubstr("hyena_w_mod")));
}

TEST_F(M2Import, AShortModelIsExtended) {
  const ImportReport report = import_tensors(tensors_, {"model.l_max=30"});
  EXPECT_THAT(report.repaired, Contains(HasSubstr("12 positions extended to 30")));
  const models::OpenedModel opened = models::open_model_folder(out_);
  EXPECT_EQ(opened.model->l_max(), 30);
  const auto loaded = models::state_dict(*opened.model);
  const std::string table = "bert.embeddings.position_embeddings.weight";
  const at::Tensor& block = tensors_.at(table);
  EXPECT_TRUE(at::equal(loaded.at(table), at::cat({block, block, block.narrow(0, 0, 6)})));
  // The features of a model that was built for 30 positions; the networks as they were.
  models::ModelConfig config;
  configure_m2_bert(config);
  config.l_max.set(30);
  const auto fresh = models::state_dict(*models::build(config));
  for (const auto& [name, tensor] : loaded) {
    const bool features = name.ends_with("pos_emb.z") || name.ends_with("pos_emb.t");
    if (name == table) continue;
    EXPECT_TRUE(at::equal(tensor, features ? fresh.at(name) : tensors_.at(name))) << name;
  }
  EXPECT_EQ(opened.model->logits(token_ids(1, 30, 1, 16)).size(1), 30);
  // Shorter is no extension: the tensors do not fit.
  EXPECT_THAT(message_of<CheckpointError>([&] { import_tensors(tensors_, {"model.l_max=8"}); }),
              HasSubstr("expected [8, 8] float32, the source has [12, 8]"));
}

class M2RoundTrip : public M2Import, public ::testing::WithParamInterface<const char*> {};

TEST_P(M2RoundTrip, GivesEveryTensorBackByteForByte) {
  const std::string format = GetParam();
  const NamedValues named = format == "hf" ? tensors_ : renamed(tensors_, prefixed("model."));
  import_tensors(named);
  const models::OpenedModel opened = models::open_model_folder(out_);
  const fs::path exported = folder_ / "exported";
  files::create_folders(exported);
  models::export_weights(opened.file->model, out_ / "model.safetensors", format, exported);
  expect_file(exported / "model.safetensors", named);
  const std::string before = files::read_text(out_ / "config.toml");
  const std::string weights = files::read_text(out_ / "model.safetensors");
  import(exported);
  EXPECT_EQ(files::read_text(out_ / "model.safetensors"), weights);
  EXPECT_EQ(files::read_text(out_ / "config.toml"), before);
}

INSTANTIATE_TEST_SUITE_P(Export, M2RoundTrip, ::testing::Values("safetensors", "hf"));

TEST_F(M2Import, ItsCodeIsNotGivenWhatItWouldComputeOtherwise) {
  import_tensors(tensors_);
  const models::OpenedModel opened = models::open_model_folder(out_);
  const auto message = [&](const std::string& format) {
    return message_of<Error>([&] {
      models::export_weights(opened.file->model, out_ / "model.safetensors", format,
                             folder_.path());
    });
  };
  opened.file->model.filter.shift.set(0.05);
  EXPECT_THAT(message("hf"), AllOf(HasSubstr("model.filter.shift"), HasSubstr("shift 0")));
  EXPECT_THAT(message("gguf"), HasSubstr("expected safetensors or hf, got \"gguf\""));
}

// Retrieval and classification files: the encoder, a pooler and a classifier, no masked words.
TEST_F(M2Import, PoolersAndClassifiersComeAlong) {
  models::ModelConfig config;
  configure_m2_bert(config);
  config.head.kind.set("classifier");
  config.head.pool.set("first");
  config.head.n_classes.set(10);
  torch::manual_seed(5);
  const auto model = models::build(config, at::TensorOptions(at::kFloat));
  model->eval();
  const NamedValues named = with_position_ids(published(*model));
  const ImportReport report = import_tensors(named);
  EXPECT_THAT(report.inferred, AllOf(Contains(HasSubstr("model.head.kind = classifier")),
                                     Contains(HasSubstr("model.head.n_classes = 10"))));
  EXPECT_THAT(report.defaulted, Contains(HasSubstr("model.head.pool = \"first\"")));
  const models::OpenedModel opened = models::open_model_folder(out_);
  const at::Tensor ids = token_ids(2, 12, 1, 16);
  EXPECT_TRUE(at::equal(opened.model->pooled(ids), model->pooled(ids)));
  EXPECT_TRUE(at::equal(opened.model->logits(ids), model->logits(ids)));
  const fs::path exported = folder_ / "exported";
  files::create_folders(exported);
  models::export_weights(opened.file->model, out_ / "model.safetensors", "hf", exported);
  expect_file(exported / "model.safetensors", named);
  EXPECT_THAT(files::read_text(exported / "config.json"),
              AllOf(HasSubstr("BertForSequenceClassification"), HasSubstr("\"num_labels\": 10")));
  // The encoder and its pooler alone: what is missing is named, and may be.
  NamedValues less = named;
  less.erase("classifier.weight");
  less.erase("classifier.bias");
  EXPECT_THAT(message_of<CheckpointError>([&] { import_tensors(less); }),
              HasSubstr("classifier.weight"));
  write("pytorch_model.bin", TorchWriter({}, less).zip());
  EXPECT_THAT(import(source_, {}, {"classifier.*"}).initialised,
              ElementsAre("classifier.bias", "classifier.weight"));
  const models::OpenedModel again = models::open_model_folder(out_);
  EXPECT_TRUE(at::equal(again.model->pooled(ids), model->pooled(ids)));
}

}  // namespace
}  // namespace longconv::testing
