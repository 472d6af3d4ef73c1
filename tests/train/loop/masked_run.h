// A corpus of documents for masked language modelling, small enough to be trained on in seconds: 40
// documents of one word each, again and again. No LibTorch here.
#pragma once

#include "core/files/atomic_file.h"
#include "data/tasks/prepare.h"
#include "tests/support/temp_folder.h"
#include "train/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace longconv::train::testing {

class MaskedRun {
 public:
  MaskedRun() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    std::string lines;
    for (int i = 0; i < 40; ++i) {
      vocabulary += fmt::format("w{}\n", i);
      std::string text;
      for (int word = 0; word < 6 + i % 7; ++word) text += fmt::format("w{} ", i);
      lines += fmt::format("{{\"text\": \"{}\"}}\n", text);
    }
    const auto put = [this](const char* name, const std::string& text) {
      files::write_atomic(temp_ / name, std::string_view(text));
      return (temp_ / name).string();
    };
    data::PrepareOptions options;
    options.sources = {put("train.jsonl", lines)};
    options.validation = {put("validation.jsonl", lines)};
    options.tokenizer = put("vocab.txt", vocabulary);
    options.eos = false;
    options.out = temp_ / "corpus";
    data::prepare_corpus(options);
    put("masked.toml", fmt::format(R"(seed = 3
[data]
task = "mlm"
path = "{}"
seq_len = 14
batch_size = 8
[model]
family = "m2_bert"
d_model = 16
n_layers = 2
norm_eps = 1e-12
[model.filter]
emb_dim = 5
width = 8
sine_freq = 10.0
bidirectional = true
[optim]
name = "decoupled_adamw"
lr = 1e-2
weight_decay = 1e-5
[schedule]
name = "composer_linear"
max_steps = 20
warmup_steps = 2
min_lr = 0.02
[train]
eval_every = 10
checkpoint_every = 10
[run]
device = "cpu"
)",
                                   (temp_ / "corpus").string()));
  }
  [[nodiscard]] std::filesystem::path file() const { return temp_ / "masked.toml"; }
  [[nodiscard]] std::filesystem::path folder(const std::string& name) const { return temp_ / name; }
  /// The configuration with overrides "a.b=value", to run in folder(name).
  [[nodiscard]] std::unique_ptr<RunConfig> config(const std::string& name,
                                                  const std::vector<std::string>& overrides) const {
    auto out = std::make_unique<RunConfig>();
    config::load(*out, file().string());
    for (const std::string& text : overrides) config::apply_override(*out, text);
    out->run.dir.set(folder(name).string());
    return out;
  }

 private:
  ::longconv::testing::TempFolder temp_;
};

}  // namespace longconv::train::testing
