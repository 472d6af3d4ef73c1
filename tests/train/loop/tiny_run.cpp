#include "tests/train/loop/tiny_run.h"

#include "core/files/atomic_file.h"
#include "core/files/npy.h"
#include "core/files/safetensors.h"
#include "data/formats/sample_shard.h"
#include "data/tasks/prepare.h"
#include "data/tasks/sample_facts.h"

#include <fmt/format.h>

#include <cmath>
#include <random>
#include <set>

namespace longconv::train::testing {
namespace fs = std::filesystem;
namespace {

/// Text with some structure to learn: words of a small vocabulary.
std::string babble(std::size_t bytes, unsigned seed) {
  static const std::vector<std::string> kWords = {"and ",  "the ",  "sea ", "was ",   "light ",
                                                  "dark ", "upon ", "a ",   "deep.\n"};
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < bytes) out += kWords[random() % kWords.size()];
  out.resize(bytes);
  return out;
}

constexpr const char* kConfig = R"(seed = 7
[data]
path = "{}"
seq_len = 16
batch_size = 8
[model]
d_model = 16
n_layers = 2
d_inner = 32
embed_dropout = 0.1
resid_dropout = 0.2
[model.filter]
emb_dim = 5
width = 8
[optim]
lr = 5e-3
[schedule]
max_steps = 20
warmup_steps = 2
[train]
log_every = 3
eval_every = 5
checkpoint_every = 10
[run]
device = "cpu"
)";

}  // namespace

void make_corpus(const fs::path& folder, std::size_t train_bytes, int seed, bool lines) {
  const fs::path texts = folder.string() + "-text";
  files::create_folders(texts);
  const auto base = static_cast<unsigned>(seed) * 2;
  files::write_atomic(texts / "train.txt", babble(train_bytes, base));
  files::write_atomic(texts / "validation.txt", babble(300, base + 1));
  data::PrepareOptions options;
  options.sources = {(texts / "train.txt").string()};
  options.validation = {(texts / "validation.txt").string()};
  options.out = folder;
  options.lines = lines;
  options.threads = 1;
  data::prepare_corpus(options);
}

TinyRuns::TinyRuns() : config_(temp_ / "tiny.toml") {
  make_corpus(temp_ / "corpus");
  files::write_atomic(config_, fmt::format(kConfig, (temp_ / "corpus").string()));
}

std::vector<std::string> TinyRuns::images() const {
  const fs::path shard = temp_ / "images.lcs";
  if (!fs::exists(shard)) {
    data::SampleLayout layout;
    layout.vocabulary = 256;
    layout.classes = 2;
    layout.height = layout.width = 4;
    layout.channels = 1;
    data::SampleShardWriter writer(shard, layout);
    std::mt19937 random(3);
    for (int i = 0; i < 90; ++i) {
      std::vector<std::uint8_t> pixels(16);
      for (auto& pixel : pixels) {
        pixel = static_cast<std::uint8_t>(random() % 156 + (i % 2 == 0 ? 0 : 100));
      }
      writer.add_part(pixels);
      writer.add_row(std::vector<std::int32_t>{i % 2});
    }
    data::SampleFacts facts;
    facts.task = "brightness";
    writer.finish(data::to_json(facts));
  }
  return {"data.task=labelled",      "data.path=" + shard.string(), "model.family=long_conv",
          "model.norm=batch",        "model.filter.squash=0.001",   "model.filter.channels=2",
          "model.filter.dropout=0.2"};
}

std::vector<std::string> TinyRuns::series() const {
  const fs::path file = temp_ / "series.npy";
  if (!fs::exists(file)) {
    std::mt19937 random(4);
    std::vector<float> values;
    for (int i = 0; i < 12 * 40 * 3; ++i) {
      values.push_back(std::sin(0.7F * static_cast<float>(i / 3)) +
                       0.1F * static_cast<float>(random() % 10));
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
    files::write_npy(file, {"", Dtype::f32, {12, 40, 3}, {bytes, 4 * values.size()}});
  }
  return {"data.task=brain", "data.path=" + file.string(), "model.family=long_conv",
          "data.brain.min_len=6", "model.mlp_blocks=true"};
}

Outcome TinyRuns::train(const std::string& name, const std::vector<std::string>& overrides) const {
  RunConfig config;
  config::load(config, config_.string());
  for (const std::string& text : overrides) config::apply_override(config, text);
  if (!config.run.dir.is_set()) config.run.dir.set(run(name).string());
  Launch launch;
  launch.config_path = config_.string();
  launch.config_text = files::read_text(config_);
  launch.overrides = overrides;
  return longconv::train::train(config, launch);
}

std::map<std::string, std::string> tensors_of(const fs::path& file) {
  const files::SafetensorsFile opened(file);
  std::map<std::string, std::string> out;
  for (const auto& [name, view] : opened.tensors()) {
    out[name] = std::string(reinterpret_cast<const char*>(view.data.data()), view.data.size());
  }
  return out;
}

std::vector<std::string> differing_tensors(const fs::path& a, const fs::path& b) {
  const auto first = tensors_of(a);
  const auto second = tensors_of(b);
  std::set<std::string> names;
  for (const auto& [name, bytes] : first) names.insert(name);
  for (const auto& [name, bytes] : second) names.insert(name);
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const auto x = first.find(name);
    const auto y = second.find(name);
    if (x == first.end() || y == second.end() || x->second != y->second) out.push_back(name);
  }
  return out;
}

}  // namespace longconv::train::testing
