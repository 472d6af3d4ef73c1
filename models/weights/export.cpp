#include "models/weights/export.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "models/heads/language_model.h"
#include "models/weights/model_folder.h"

#include <c10/core/TensorOptions.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <numeric>
#include <span>
#include <vector>

namespace longconv::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// What safari and HyenaDNA build a model from (models.md 5.2).
ordered_json original_config(const ModelConfig& c) {
  ordered_json layer = {{"_name_", "hyena"},
                        {"order", c.order()},
                        {"emb_dim", c.filter.emb_dim()},
                        {"filter_order", c.filter.width()},
                        {"num_inner_mlps", c.filter.depth()},
                        {"short_filter_order", c.short_filter.taps()},
                        {"l_max", c.l_max()},
                        {"modulate", c.filter.modulate()},
                        {"shift", c.filter.shift()},
                        {"w", c.filter.sine_freq()},
                        {"lr", c.filter.lr()},
                        {"wd", 0.0}};
  layer["lr_pos_emb"] = c.filter.train_positions() ? c.filter.lr_positions() : 0.0;
  ordered_json out = {{"d_model", c.d_model()},
                      {"n_layer", c.n_layers()},
                      {"d_inner", c.inner_width()},
                      {"vocab_size", c.vocab_size()},
                      {"pad_vocab_size_multiple", c.pad_vocab_multiple()},
                      {"embed_dropout", c.embed_dropout()},
                      {"resid_dropout", c.resid_dropout()},
                      {"residual_in_fp32", c.residual_in_fp32()},
                      {"layer_norm_epsilon", c.norm_eps()},
                      {"checkpoint_mixer", false},
                      {"checkpoint_mlp", false},
                      {"layer", layer}};
  if (!c.attention.layers().empty()) {
    out["attn_layer_idx"] = c.attention.layers();
    out["attn_cfg"] = {{"num_heads", c.attention.n_heads()},
                       {"rotary_emb_dim", c.attention.rotary_dim()},
                       {"dropout", c.attention.dropout()}};
  }
  return out;
}

/// The port's own configuration; what it computes without asking must be what the model does.
ordered_json hf_config(const ModelConfig& c) {
  constexpr double kShift = 0.05;  // of the port's modulation (models.md 5.5)
  const auto refuse = [](const config::KeyBase& key, const char* wanted) {
    key.fail(fmt::format(
        "the Hugging Face port computes with {}, this model has {}; use --format safetensors for "
        "other code",
        wanted, key.to_toml()));
  };
  const bool classifies = c.head.kind() == "classifier";
  if (classifies && c.head.bias()) refuse(c.head.bias, "a classifier without bias");
  if (classifies && c.head.pool() != "last") refuse(c.head.pool, "the last token");
  if (c.order() != 2) refuse(c.order, "order 2");
  if (!c.attention.layers().empty()) refuse(c.attention.layers, "no attention");
  if (!c.filter.modulate()) refuse(c.filter.modulate, "modulation");
  if (c.filter.shift() != kShift) refuse(c.filter.shift, "shift 0.05");
  ordered_json out = {
      {"architectures", {classifies ? "HyenaDNAForSequenceClassification" : "HyenaDNAForCausalLM"}},
      {"model_type", "hyenadna"},
      {"torch_dtype", "float32"},
      {"d_model", c.d_model()},
      {"d_inner", c.inner_width()},
      {"n_layer", c.n_layers()},
      {"vocab_size", c.vocab_size()},
      {"pad_vocab_size_multiple", c.pad_vocab_multiple()},
      {"max_seq_len", c.l_max()},
      {"emb_dim", c.filter.emb_dim()},
      {"filter_order", c.filter.width()},
      {"hyena_order", c.order()},
      {"short_filter_order", c.short_filter.taps()},
      {"num_inner_mlps", c.filter.depth()},
      {"activation_freq", c.filter.sine_freq()},
      {"train_freq", true},
      {"use_bias", true},
      {"embed_dropout", c.embed_dropout()},
      {"hyena_dropout", 0.0},
      {"hyena_filter_dropout", 0.0},
      {"layer_norm_epsilon", c.norm_eps()},
      {"initializer_range", c.init_std()},
      {"tie_word_embeddings", false},
      {"pad_token_id", 4}};
  if (classifies) out["num_labels"] = c.head.n_classes();
  return out;
}

/// What M2-BERT's code builds a model from (its BertConfig); what it computes without asking must
/// be what the model does.
ordered_json m2_bert_config(const ModelConfig& c) {
  const auto refuse = [](const config::KeyBase& key, const char* wanted) {
    key.fail(
        fmt::format("M2-BERT's code computes with {}, this model has {}", wanted, key.to_toml()));
  };
  if (!c.tie_embeddings()) refuse(c.tie_embeddings, "a tied head");
  if (!c.filter.modulate()) refuse(c.filter.modulate, "modulation");
  if (c.filter.shift() != 0.0) refuse(c.filter.shift, "shift 0");
  if (c.filter.depth() != 2) refuse(c.filter.depth, "two inner layers");
  if (c.short_filter.taps() != 3) refuse(c.short_filter.taps, "3 taps");
  const std::int64_t rows = padded_vocab(c.vocab_size(), c.pad_vocab_multiple());
  const bool masked = c.head.kind() == "mlm";
  return {{"architectures", {masked ? "BertForMaskedLM" : "BertForSequenceClassification"}},
          {"num_labels", masked ? 2 : c.head.n_classes()},
          {"model_type", "bert"},
          {"torch_dtype", "float32"},
          {"vocab_size", rows},
          {"hidden_size", c.d_model()},
          {"num_hidden_layers", c.n_layers()},
          {"num_attention_heads", 12},  // must be there, means nothing (models.md 3.3)
          {"intermediate_size", c.inner_width()},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", c.mlp.dropout()},
          {"attention_probs_dropout_prob", 0.0},
          {"max_position_embeddings", c.l_max()},
          {"long_conv_l_max", c.l_max()},
          {"type_vocab_size", 2},
          {"pad_token_id", 0},
          {"initializer_range", c.init_std()},
          {"layer_norm_eps", c.norm_eps()},
          {"use_positional_encodings", true},
          {"monarch_mixer_sequence_mixing", true},
          {"use_glu_mlp", c.mlp.glu()},
          {"use_monarch_mlp", c.mlp.blocks() > 0},
          {"monarch_mlp_nblocks", c.mlp.blocks() > 0 ? c.mlp.blocks() : 4},
          {"residual_long_conv", c.residual_long_conv()},
          {"hyena_training_additions", c.mixer_norm()},
          {"bidirectional", c.filter.bidirectional()},
          {"hyena_emb_dim", c.filter.emb_dim()},
          {"hyena_filter_order", c.filter.width()},
          {"hyena_filter_dropout", 0.2},  // accepted and unused, as the published files have it
          {"hyena_w", c.filter.sine_freq()},
          {"hyena_w_mod", 1},
          // Asked for by every published configuration, lost by its code (models.md 3.5).
          {"long_conv_kernel_learning_rate", 1e-3},
          {"hyena_lr_pos_emb", 1e-5},
          {"hyena_wd", 0.1},
          {"use_flash_mm", false},
          {"pool_all", !masked && c.head.pool() == "mean"}};
}

/// Decoders stand beside the model in Lightning files (models.md 5.6).
std::string original_name(const std::string& name) {
  return name.starts_with("decoder.") ? name : "model." + name;
}

std::string hf_name(const std::string& name) {
  if (name == "decoder.0.output_transform.weight") return "score.weight";
  return name.starts_with("backbone.") ? "hyena." + name : name;
}

std::string same_name(const std::string& name) { return name; }

/// A further layout of names is a further row.
struct ExportFormat {
  const char* family;
  const char* name;
  std::string (*rename)(const std::string& name);
  ordered_json (*config)(const ModelConfig& config);
  const char* position_ids;  ///< the buffer 0, 1, .. that the code keeps; nullptr: none
};
constexpr const char* kBertPositions = "bert.embeddings.position_ids";
constexpr ExportFormat kFormats[] = {
    {"hyena", "safetensors", &original_name, &original_config, nullptr},
    {"hyena", "hf", &hf_name, &hf_config, nullptr},
    {"hyena_dna", "safetensors", &original_name, &original_config, nullptr},
    {"hyena_dna", "hf", &hf_name, &hf_config, nullptr},
    {"m2_bert", "safetensors", &original_name, &m2_bert_config, kBertPositions},
    {"m2_bert", "hf", &same_name, &m2_bert_config, kBertPositions},
};

const ExportFormat& find_format(const ModelConfig& config, const std::string& name) {
  std::vector<std::string> known;
  for (const ExportFormat& format : kFormats) {
    if (config.family() != format.family) continue;
    if (format.name == name) return format;
    known.emplace_back(format.name);
  }
  if (known.empty()) {
    config.family.fail(fmt::format("\"{}\" has no published layout to export to", config.family()));
  }
  throw UsageError(
      fmt::format("--format: expected {}, got \"{}\"", fmt::join(known, " or "), name));
}

}  // namespace

void export_weights(const ModelConfig& config, const fs::path& weights, const std::string& format,
                    const fs::path& folder) {
  const ExportFormat& chosen = find_format(config, format);
  const ordered_json json = chosen.config(config);
  const auto shapes = build(config, c10::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  const files::SafetensorsFile file(weights);
  std::map<std::string, files::TensorView> tensors = file.tensors();
  fold_aliases(tensors, *shapes, weights.string());
  check_fits(state_dict(*shapes), tensors, weights.string());
  for (const Alias& alias : all_aliases(*shapes)) {
    tensors.emplace(alias.alias, tensors.at(alias.name));
  }
  std::vector<std::int64_t> counted(static_cast<std::size_t>(config.l_max()));
  if (chosen.position_ids != nullptr) {
    std::iota(counted.begin(), counted.end(), 0);
    tensors[chosen.position_ids] = {
        chosen.position_ids, Dtype::i64, {1, config.l_max()}, std::as_bytes(std::span(counted))};
  }
  std::vector<files::TensorView> views;
  views.reserve(tensors.size());
  for (auto& [name, view] : tensors) {
    view.name = chosen.rename(name);
    views.push_back(view);
  }
  files::write_safetensors(folder / "model.safetensors", views, {{"format", "pt"}});
  files::write_atomic(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace longconv::models
