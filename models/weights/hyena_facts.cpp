#include "models/weights/hyena_facts.h"

#include "models/weights/backbone_facts.h"

#include <algorithm>
#include <string_view>

namespace longconv::models {
namespace {

constexpr const char* kDecoder = "decoder.0.output_transform.weight";
constexpr const char* kDecoderBias = "decoder.0.output_transform.bias";

/// Of safari's and HyenaDNA's operator, then of the Hugging Face port.
constexpr Word kWords[] = {
    {"layer.order", "model.order"},
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

/// Published models, and what their files leave open (models.md 2.3, 5.1, 5.5); the first that
/// matches counts.
struct Published {
  const char* name;
  const char* family;
  bool (*matches)(const BackboneShapes&);
  std::vector<Setting> settings;
  const char* tokenizer;
};
const std::vector<Published>& published_models() {
  static const std::vector<Published> models = {
      {"HyenaDNA",
       "hyena_dna",
       [](const BackboneShapes& s) {
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
       [](const BackboneShapes& s) {
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
       [](const BackboneShapes& s) { return s.rows == 50264; },
       {{"model.vocab_size", "50257"},
        {"model.filter.modulate", "true"},
        {"model.filter.shift", "0.0"},
        {"model.filter.sine_freq", "14.0"}},
       "gpt2"},
  };
  return models;
}

BackboneShapes read_shapes(const FactSources& from) {
  BackboneShapes out = read_backbone(from, "Hyena");
  const auto set = [&](const char* key, std::int64_t value) {
    out.keys[key] = std::to_string(value);
  };
  const std::string& mixer = out.mixer;
  const std::string filter = mixer + "filter_fn.";
  set("model.order", need_tensor(from, mixer + "in_proj.weight", 2).shape[0] / out.d_model - 1);
  set("model.short_filter.taps", need_tensor(from, mixer + "short_filter.weight", 3).shape[2]);
  const files::TensorView& z = need_tensor(from, filter + "pos_emb.z", 3);
  set("model.l_max", z.shape[1]);
  set("model.filter.emb_dim", z.shape[2]);
  set("model.filter.width", need_tensor(from, filter + "implicit_filter.0.weight", 2).shape[0]);
  set("model.filter.depth", count_inner_layers(from, filter + "implicit_filter."));
  if (has_tensor(from, kDecoder)) {
    out.keys["model.head.kind"] = "classifier";
    set("model.head.n_classes", need_tensor(from, kDecoder, 2).shape[0]);
    const bool adds = has_tensor(from, kDecoderBias);
    out.keys["model.head.bias"] = adds ? "true" : "false";
    // The port's classifier, the one without, reads the token before the padding (5.2).
    if (!adds) out.keys["model.head.pool"] = "last";
  }
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
  const BackboneShapes shapes = read_shapes(from);
  const std::vector<Published>& all = published_models();
  const auto known = std::find_if(all.begin(), all.end(),
                                  [&](const Published& model) { return model.matches(shapes); });
  FactsBuilder facts(from, known == all.end() ? "hyena" : known->family, shapes.keys);
  facts.leave_open({"model.filter.modulate", "model.filter.shift"});
  const bool classifies = shapes.number("model.head.n_classes") > 0;
  if (classifies && shapes.keys.count("model.head.pool") == 0) {
    facts.leave_open({"model.head.pool"});
  }
  if (shapes.number("model.order") > 2) facts.leave_open({"model.filter.layout"});
  if (shapes.attends()) {
    facts.leave_open({"model.attention.n_heads", "model.attention.rotary_dim"});
  }
  if (known != all.end()) {
    facts.recognise(known->name, known->tokenizer, known->settings);
  } else {
    facts.rows_are_ids(shapes.rows);
  }
  facts.read_config(backbone_words());
  facts.read_config(kWords);
  if (from.config.count("layer.lr_pos_emb") != 0) {
    const bool trained = facts.model().filter.lr_positions() > 0.0;  // 0 made z a buffer (0.5)
    facts.settle("model.filter.train_positions", trained ? "true" : "false", from.config_file);
  }
  facts.read_tensors();
  facts.apply_overrides();
  facts.check_rows(kBackboneEmbedding, shapes.rows);
  return facts.finish();
}

}  // namespace longconv::models
