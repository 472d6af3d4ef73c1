#include "models/weights/hyena_facts.h"

#include "core/base/check.h"
#include "models/heads/language_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

namespace longconv::models {
namespace {

constexpr const char* kEmbedding = "backbone.embeddings.word_embeddings.weight";
constexpr const char* kHead = "lm_head.weight";

/// config.json's words (safari and HyenaDNA, then the Hugging Face port) and ours.
struct Word {
  const char* published;
  const char* key;
};
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

struct Setting {
  const char* key;
  const char* value;
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

const files::TensorView& need(const NamedTensors& named, const std::string& name,
                              std::size_t dimensions, const std::string& where) {
  const auto found = named.tensors.find(name);
  if (found == named.tensors.end()) {
    const auto why = named.unreadable.find(name);
    if (why != named.unreadable.end()) throw CheckpointError(why->second);
    throw CheckpointError(fmt::format("{}: tensor {} is missing", where, name));
  }
  const std::vector<std::int64_t>& shape = found->second.shape;
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  LONGCONV_CHECK(shape.size() == dimensions && !empty, CheckpointError,
                 "{}: tensor {}: expected {} dimensions of at least 1, got {}", where, name,
                 dimensions, files::shape_words(shape));
  return found->second;
}

/// Layers from 0, as many as there are without a gap.
std::int64_t count_layers(const NamedTensors& named) {
  std::int64_t layers = 0;
  const auto is_there = [&](std::int64_t layer) {
    const std::string prefix = fmt::format("backbone.layers.{}.", layer);
    const auto at = named.tensors.lower_bound(prefix);
    return at != named.tensors.end() && at->first.starts_with(prefix);
  };
  while (is_there(layers)) ++layers;
  return layers;
}

Shapes read_shapes(const NamedTensors& named, const std::string& where) {
  Shapes out;
  const auto set = [&](const char* key, std::int64_t value) {
    out.keys[key] = std::to_string(value);
  };
  const files::TensorView& embedding = need(named, kEmbedding, 2, where);
  out.rows = embedding.shape[0];
  const std::int64_t d_model = embedding.shape[1];
  set("model.d_model", d_model);
  const std::int64_t layers = count_layers(named);
  LONGCONV_CHECK(layers > 0, CheckpointError, "{}: tensor backbone.layers.0.* is missing", where);
  set("model.n_layers", layers);
  set("model.d_inner", need(named, "backbone.layers.0.mlp.fc1.weight", 2, where).shape[0]);

  std::vector<std::int64_t> attending;
  std::int64_t first = -1;  // the first Hyena layer
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool attends =
        named.tensors.count(fmt::format("backbone.layers.{}.mixer.Wqkv.weight", i)) != 0;
    if (attends) attending.push_back(i);
    if (!attends && first < 0) first = i;
  }
  if (!attending.empty()) {
    out.keys["model.attention.layers"] = fmt::format("[{}]", fmt::join(attending, ", "));
  }
  LONGCONV_CHECK(first >= 0, CheckpointError, "{}: every layer is attention; expected Hyena layers",
                 where);
  const std::string mixer = fmt::format("backbone.layers.{}.mixer.", first);
  const std::string filter = mixer + "filter_fn.";
  set("model.order", need(named, mixer + "in_proj.weight", 2, where).shape[0] / d_model - 1);
  set("model.short_filter.taps", need(named, mixer + "short_filter.weight", 3, where).shape[2]);
  const files::TensorView& z = need(named, filter + "pos_emb.z", 3, where);
  set("model.l_max", z.shape[1]);
  set("model.filter.emb_dim", z.shape[2]);
  set("model.filter.width", need(named, filter + "implicit_filter.0.weight", 2, where).shape[0]);
  std::int64_t linears = 0;
  while (named.tensors.count(fmt::format("{}implicit_filter.{}.weight", filter, 2 * linears)) !=
         0) {
    ++linears;
  }
  set("model.filter.depth", std::max<std::int64_t>(linears - 2, 0));

  const auto head = named.tensors.find(kHead);
  const bool tied =
      head == named.tensors.end() ||
      (head->second.data.size() == embedding.data.size() &&
       std::memcmp(head->second.data.data(), embedding.data.data(), embedding.data.size()) == 0);
  out.keys["model.tie_embeddings"] = tied ? "true" : "false";
  return out;
}

/// Sets a key; an impossible value is a fault of the weights, not of the user's configuration.
void assign(ModelFile& file, const std::string& key, const std::string& value,
            const std::string& origin) {
  try {
    config::apply_override(file, key + "=" + value);
  } catch (const ConfigError& error) {
    throw CheckpointError(fmt::format("{}: {}", origin, error.what()));
  }
}

}  // namespace

bool is_hyena(const NamedTensors& named) {
  return std::any_of(named.tensors.begin(), named.tensors.end(), [](const auto& item) {
    return item.first.find(".mixer.filter_fn.implicit_filter.") != std::string::npos &&
           item.first.starts_with("backbone.layers.");
  });
}

ModelFacts hyena_facts(const NamedTensors& named, const std::map<std::string, std::string>& config,
                       const std::string& config_file, const std::vector<std::string>& overrides,
                       const std::string& where) {
  ModelFacts out;
  out.file = std::make_unique<ModelFile>();
  ModelFile& file = *out.file;
  const Shapes shapes = read_shapes(named, where);
  assign(file, "model.family", "hyena", where);

  std::set<std::string> open = {"model.filter.modulate", "model.filter.shift"};
  if (shapes.number("model.order") > 2) open.insert("model.filter.layout");
  if (shapes.attends()) open.insert({"model.attention.n_heads", "model.attention.rotary_dim"});
  for (const Published& model : published_models()) {
    if (!model.matches(shapes)) continue;
    out.published = model.name;
    out.tokenizer = model.tokenizer;
    assign(file, "model.family", model.family, model.name);
    for (const Setting& setting : model.settings) {
      assign(file, setting.key, setting.value, model.name);
      open.insert(setting.key);
    }
    break;
  }
  if (out.published.empty()) {
    assign(file, "model.vocab_size", std::to_string(shapes.rows), where);
    if (shapes.rows % file.model.pad_vocab_multiple() != 0) {
      assign(file, "model.pad_vocab_multiple", "1", where);
    }
    open.insert("model.vocab_size");
  }
  for (const Word& word : kWords) {
    const auto found = config.find(word.published);
    if (found == config.end()) continue;
    const auto tensors = shapes.keys.find(word.key);
    if (tensors != shapes.keys.end()) {
      if (tensors->second != found->second) {
        out.inferred.push_back(fmt::format("{} = {} (tensors; config.json says {} = {})", word.key,
                                           tensors->second, word.published, found->second));
      }
      continue;
    }
    assign(file, word.key, found->second, config_file + ": " + word.published);
    out.inferred.push_back(
        fmt::format("{} = {} (config.json: {})", word.key, found->second, word.published));
    open.erase(word.key);
  }
  if (const auto rate = config.find("layer.lr_pos_emb"); rate != config.end()) {
    const bool trained = file.model.filter.lr_positions() > 0.0;  // 0 made z a buffer (0.5)
    assign(file, "model.filter.train_positions", trained ? "true" : "false", config_file);
    open.erase("model.filter.train_positions");
  }
  for (const auto& [key, value] : shapes.keys) {
    assign(file, key, value, where);
    const std::string words = fmt::format("{} = {} (tensors", key, value);
    const bool listed =
        std::any_of(out.inferred.begin(), out.inferred.end(),
                    [&](const std::string& line) { return line.starts_with(words); });
    if (!listed) out.inferred.push_back(words + ")");
  }
  for (const std::string& text : overrides) {
    config::apply_override(file, text);
    open.erase(text.substr(0, text.find('=')));
  }
  const std::int64_t rows = padded_vocab(file.model.vocab_size(), file.model.pad_vocab_multiple());
  LONGCONV_CHECK(rows == shapes.rows, CheckpointError,
                 "{}: tensor {} has {} rows, but model.vocab_size = {} in multiples of "
                 "model.pad_vocab_multiple = {} makes {}; set model.vocab_size={}",
                 where, kEmbedding, shapes.rows, file.model.vocab_size(),
                 file.model.pad_vocab_multiple(), rows, shapes.rows);
  for (const config::KeyBase* key : config::all_keys(file)) {
    if (open.count(key->path()) == 0) continue;
    out.defaulted.push_back(fmt::format("{} = {} ({})", key->path(), key->to_toml(),
                                        out.published.empty() ? "default" : out.published));
  }
  return out;
}

}  // namespace longconv::models
