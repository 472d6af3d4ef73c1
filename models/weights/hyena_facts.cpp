#include "models/weights/hyena_facts.h"

#include "core/base/check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

namespace longconv::models {
namespace {

constexpr const char* kEmbedding = "backbone.embeddings.word_embeddings.weight";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kDecoder = "decoder.0.output_transform.weight";

/// Of safari and HyenaDNA, then of the Hugging Face port.
constexpr Word kWords[] = {
    {"d_model", "model.d_model"},
    {"n_layer", "model.n_layers"},
    {"d_inner", "model.d_inner"},
    {"vocab_size", "model.vocab_size"},
    {"pad_vocab_size_multiple", "model.pad_vocab_multiple"},
    {"embed_dropout", "model.embed_dropout"},
    {"resid_dropout", "model.resid_dropout"},
    {"residual_in_fp32", "model.residual_in_fp32"},
    {"layer_norm_epsilon", "model.norm_eps"},
    {"layer.order", "model.order"},
    {"layer.l_max", "model.l_max"},
    {"layer.emb_dim", "model.filter.emb_dim"},
    {"layer.filter_order", "model.filter.width"},
    {"layer.num_inner_mlps", "model.filter.depth"},
    {"layer.short_filter_order", "model.short_filter.taps"},
    {"layer.modulate", "model.filter.modulate"},
    {"layer.shift", "model.filter.shift"},
    {"layer.w", "model.filter.sine_freq"},
    {"layer.lr", "model.filter.lr"},
    {"layer.lr_pos_emb", "model.filter.lr_positions"},
    {"hyena_order", "model.order"},
    {"max_seq_len", "model.l_max"},
    {"emb_dim", "model.filter.emb_dim"},
    {"filter_order", "model.filter.width"},
    {"num_inner_mlps", "model.filter.depth"},
    {"short_filter_order", "model.short_filter.taps"},
    {"activation_freq", "model.filter.sine_freq"},
};

/// What the tensors say.
struct Shapes {
  std::int64_t rows = 0;
  std::map<std::string, std::string> keys;  ///< key -> value as TOML writes it
  std::int64_t number(const char* key) const {
    const auto found = keys.find(key);
    return found == keys.end() ? 0 : std::stoll(found->second);
  }
  bool attends() const { return keys.count("model.attention.layers") != 0; }
};

/// Published models, and what their files leave open (models.md 2.3, 5.1, 5.5); the first that
/// matches counts.
struct Published {
  const char* name;
  const char* family;
  bool (*matches)(const Shapes&);
  std::vector<Setting> settings;
  const char* tokenizer;
};
const std::vector<Published>& published_models() {
  static const std::vector<Published> models = {
      {"HyenaDNA",
       "hyena_dna",
       [](const Shapes& s) {
         return s.rows == 16 && s.number("model.filter.emb_dim") == 5 &&
                s.number("model.order") == 2 && !s.attends();
       },
       {{"model.vocab_size", "12"},
        {"model.filter.modulate", "true"},
        {"model.filter.shift", "0.05"},  // of the published inference code, 5.5
        {"model.filter.sine_freq", "10.0"},
        {"model.filter.train_positions", "false"}},
       "dna"},
      {"Hyena small, 150B tokens of the Pile",
       "hyena",
       [](const Shapes& s) {
         return s.rows == 50264 && s.number("model.d_model") == 864 &&
                s.number("model.n_layers") == 18 && s.number("model.l_max") == 2048;
       },
       {{"model.vocab_size", "50257"},
        {"model.filter.modulate", "false"},  // of its evaluation's configuration, 2.3
        {"model.filter.shift", "0.0"},
        {"model.filter.sine_freq", "14.0"},
        {"model.embed_dropout", "0.0"}},
       "gpt2"},
      {"Hyena-GPT",
       "hyena",
       [](const Shapes& s) { return s.rows == 50264; },
       {{"model.vocab_size", "50257"},
        {"model.filter.modulate", "true"},
        {"model.filter.shift", "0.0"},
        {"model.filter.sine_freq", "14.0"}},
       "gpt2"},
  };
  return models;
}

Shapes read_shapes(const FactSources& from) {
  Shapes out;
  const auto set = [&](const char* key, std::int64_t value) {
    out.keys[key] = std::to_string(value);
  };
  const files::TensorView& embedding = need_tensor(from, kEmbedding, 2);
  out.rows = embedding.shape[0];
  const std::int64_t d_model = embedding.shape[1];
  set("model.d_model", d_model);
  const std::int64_t layers = count_layers(from, "backbone.layers.");
  set("model.n_layers", layers);
  set("model.d_inner", need_tensor(from, "backbone.layers.0.mlp.fc1.weight", 2).shape[0]);

  std::vector<std::int64_t> attending;
  std::int64_t first = -1;  // the first Hyena layer
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool attends = has_tensor(from, fmt::format("backbone.layers.{}.mixer.Wqkv.weight", i));
    if (attends) attending.push_back(i);
    if (!attends && first < 0) first = i;
  }
  if (!attending.empty()) {
    out.keys["model.attention.layers"] = fmt::format("[{}]", fmt::join(attending, ", "));
  }
  LONGCONV_CHECK(first >= 0, CheckpointError, "{}: every layer is attention; expected Hyena layers",
                 from.where);
  const std::string mixer = fmt::format("backbone.layers.{}.mixer.", first);
  const std::string filter = mixer + "filter_fn.";
  set("model.order", need_tensor(from, mixer + "in_proj.weight", 2).shape[0] / d_model - 1);
  set("model.short_filter.taps", need_tensor(from, mixer + "short_filter.weight", 3).shape[2]);
  const files::TensorView& z = need_tensor(from, filter + "pos_emb.z", 3);
  set("model.l_max", z.shape[1]);
  set("model.filter.emb_dim", z.shape[2]);
  set("model.filter.width", need_tensor(from, filter + "implicit_filter.0.weight", 2).shape[0]);
  set("model.filter.depth", count_inner_layers(from, filter + "implicit_filter."));
  if (has_tensor(from, kDecoder)) {
    out.keys["model.head.kind"] = "classifier";
    set("model.head.n_classes", need_tensor(from, kDecoder, 2).shape[0]);
  }
  out.keys["model.tie_embeddings"] = is_tied(from, kHead, kEmbedding) ? "true" : "false";
  return out;
}

}  // namespace

bool is_hyena(const NamedTensors& named) {
  return std::any_of(named.tensors.begin(), named.tensors.end(), [](const auto& item) {
    return item.first.find(".mixer.filter_fn.implicit_filter.") != std::string::npos &&
           item.first.starts_with("backbone.layers.");
  });
}

ModelFacts hyena_facts(const FactSources& from) {
  const Shapes shapes = read_shapes(from);
  const std::vector<Published>& all = published_models();
  const auto known = std::find_if(all.begin(), all.end(),
                                  [&](const Published& model) { return model.matches(shapes); });
  FactsBuilder facts(from, known == all.end() ? "hyena" : known->family, shapes.keys);
  facts.leave_open({"model.filter.modulate", "model.filter.shift"});
  if (shapes.number("model.head.n_classes") > 0) facts.leave_open({"model.head.pool"});
  if (shapes.number("model.order") > 2) facts.leave_open({"model.filter.layout"});
  if (shapes.attends()) {
    facts.leave_open({"model.attention.n_heads", "model.attention.rotary_dim"});
  }
  if (known != all.end()) {
    facts.recognise(known->name, known->tokenizer, known->settings);
  } else {
    facts.rows_are_ids(shapes.rows);
  }
  facts.read_config(kWords);
  if (from.config.count("layer.lr_pos_emb") != 0) {
    const bool trained = facts.model().filter.lr_positions() > 0.0;  // 0 made z a buffer (0.5)
    facts.settle("model.filter.train_positions", trained ? "true" : "false", from.config_file);
  }
  facts.read_tensors();
  facts.apply_overrides();
  facts.check_rows(kEmbedding, shapes.rows);
  return facts.finish();
}

}  // namespace longconv::models
