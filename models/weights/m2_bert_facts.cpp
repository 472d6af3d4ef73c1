#include "models/weights/m2_bert_facts.h"

#include "core/base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace longconv::models {
namespace {

constexpr const char* kEmbedding = "bert.embeddings.word_embeddings.weight";
constexpr const char* kHead = "cls.predictions.decoder.weight";
constexpr const char* kMasked = "cls.predictions.transform.dense.weight";
constexpr const char* kPooler = "bert.pooler.dense.weight";
constexpr const char* kClassifier = "classifier.weight";
constexpr const char* kLayers = "bert.encoder.layer.";
constexpr std::int64_t kBertRows = 30528;  // 30,522 ids of bert-base-uncased in multiples of 8

constexpr Word kWords[] = {
    {"hidden_size", "model.d_model"},
    {"num_hidden_layers", "model.n_layers"},
    {"intermediate_size", "model.d_inner"},
    {"max_position_embeddings", "model.l_max"},
    {"long_conv_l_max", "model.l_max"},
    {"layer_norm_eps", "model.norm_eps"},
    {"initializer_range", "model.init_std"},
    {"hidden_dropout_prob", "model.embed_dropout"},
    {"hidden_dropout_prob", "model.mlp.dropout"},
    {"use_glu_mlp", "model.mlp.glu"},
    {"residual_long_conv", "model.residual_long_conv"},
    {"hyena_training_additions", "model.mixer_norm"},
    {"bidirectional", "model.filter.bidirectional"},
    {"hyena_emb_dim", "model.filter.emb_dim"},
    {"hyena_filter_order", "model.filter.width"},
    {"hyena_w", "model.filter.sine_freq"},
};

/// Of every published size (models.md 3.1, 3.3). Modulation and shift are the code's, no key's.
constexpr Setting kPublished[] = {
    {"model.vocab_size", "30522"},      {"model.norm_eps", "1e-12"},
    {"model.embed_dropout", "0.1"},     {"model.mlp.dropout", "0.1"},
    {"model.filter.sine_freq", "10.0"},
};

/// What no tensor says and no published file has otherwise.
constexpr Setting kFixed[] = {
    {"model.filter.modulate", "true"},
    {"model.filter.shift", "0.0"},
    {"model.filter.train_positions", "true"},
};

const char* word(bool value) { return value ? "true" : "false"; }

/// Shape of a matrix of the dimension mixer: blocks (0: dense), and rows and columns of a block.
struct Matrix {
  std::int64_t blocks = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
Matrix read_matrix(const FactSources& from, const std::string& name) {
  const auto found = from.named.tensors.find(name);
  const bool dense = found != from.named.tensors.end() && found->second.shape.size() == 2;
  const std::vector<std::int64_t>& shape = need_tensor(from, name, dense ? 2 : 3).shape;
  return dense ? Matrix{0, shape[0], shape[1]} : Matrix{shape[0], shape[1], shape[2]};
}

/// Blocks hide how much of a width is padding: config.json's width, if it has these blocks.
std::int64_t inner_width(const FactSources& from, const Matrix& wo) {
  const std::int64_t blocks = std::max<std::int64_t>(wo.blocks, 1);
  const auto stated = from.config.find("intermediate_size");
  if (stated != from.config.end()) {
    for (std::int64_t width = (wo.columns - 1) * blocks + 1; width < wo.columns * blocks; ++width) {
      if (stated->second == std::to_string(width)) return width;
    }
  }
  return wo.columns * blocks;
}

std::map<std::string, std::string> read_shapes(const FactSources& from) {
  std::map<std::string, std::string> out;
  const auto set = [&](const char* key, std::int64_t value) { out[key] = std::to_string(value); };
  set("model.d_model", need_tensor(from, kEmbedding, 2).shape[1]);
  set("model.n_layers", count_layers(from, kLayers));
  set("model.l_max", need_tensor(from, "bert.embeddings.position_embeddings.weight", 2).shape[0]);
  const std::string layer = std::string(kLayers) + "0.";
  const Matrix gated = read_matrix(from, layer + "mlp.gated_layers.weight");
  const Matrix wo = read_matrix(from, layer + "mlp.wo.weight");
  set("model.mlp.blocks", wo.blocks);
  set("model.d_inner", inner_width(from, wo));
  out["model.mlp.glu"] = word(gated.rows > wo.columns);
  const std::string mixer = layer + "attention.";
  const std::string filter = mixer + "filter_fn.";
  set("model.short_filter.taps", need_tensor(from, mixer + "short_filter.weight", 3).shape[2]);
  set("model.filter.emb_dim", need_tensor(from, filter + "pos_emb.z", 3).shape[2]);
  set("model.filter.width", need_tensor(from, filter + "implicit_filter.0.weight", 2).shape[0]);
  set("model.filter.depth", count_inner_layers(from, filter + "implicit_filter."));
  out["model.filter.bidirectional"] =
      word(has_tensor(from, filter + "implicit_filter_rev.0.weight"));
  out["model.residual_long_conv"] = word(has_tensor(from, mixer + "filter_fn2.bias"));
  out["model.mixer_norm"] = word(has_tensor(from, mixer + "layernorm.weight"));
  const bool pools = has_tensor(from, kPooler) && !has_tensor(from, kMasked);
  out["model.head.kind"] = pools ? "classifier" : "mlm";
  if (pools) {
    // Without a classifier the two rows are named as missing.
    const bool classifies = has_tensor(from, kClassifier);
    set("model.head.n_classes", classifies ? need_tensor(from, kClassifier, 2).shape[0] : 2);
  }
  out["model.tie_embeddings"] = word(is_tied(from, kHead, kEmbedding));
  return out;
}

/// Settings of the published code that a model here cannot have otherwise.
void refuse_others(const FactSources& from) {
  constexpr Setting kOnly[] = {{"hyena_w_mod", "1"},
                               {"hidden_act", "\"gelu\""},
                               {"type_vocab_size", "2"},
                               {"use_flash_mm", "false"}};
  for (const Setting& only : kOnly) {
    const auto found = from.config.find(only.key);
    LONGCONV_CHECK(found == from.config.end() || found->second == only.value, CheckpointError,
                   "{}: {}: expected {}, the only one there is code for, got {}", from.config_file,
                   only.key, only.value, found->second);
  }
}

}  // namespace

bool is_m2_bert(const NamedTensors& named) {
  return std::any_of(named.tensors.begin(), named.tensors.end(), [](const auto& item) {
    return item.first.starts_with(kLayers) &&
           item.first.find(".attention.filter_fn.") != std::string::npos;
  });
}

ModelFacts m2_bert_facts(const FactSources& from) {
  refuse_others(from);
  const std::int64_t rows = need_tensor(from, kEmbedding, 2).shape[0];
  FactsBuilder facts(from, "m2_bert", read_shapes(from));
  for (const Setting& setting : kFixed) facts.settle(setting.key, setting.value, from.where);
  if (rows == kBertRows) {
    facts.recognise("M2-BERT", "bert", kPublished);
  } else {
    facts.rows_are_ids(rows);
    facts.leave_open({"model.norm_eps", "model.filter.sine_freq"});
  }
  if (has_tensor(from, kPooler)) {
    facts.settle("model.head.pool", "first", from.where);  // as published, QNLI's apart (3.6)
    facts.leave_open({"model.head.pool"});
  }
  facts.read_config(kWords);
  facts.read_tensors();
  facts.apply_overrides();
  facts.check_rows(kEmbedding, rows);
  return facts.finish();
}

}  // namespace longconv::models
