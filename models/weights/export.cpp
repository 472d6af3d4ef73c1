#include "models/weights/export.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "models/weights/model_folder.h"

#include <c10/core/TensorOptions.h>
#include <nlohmann/json.hpp>

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
  constexpr const char* kInstead = "use --format safetensors for other code";
  const auto refuse = [&](const auto& key, const char* wanted) {
    key.fail(fmt::format("the Hugging Face port computes with {}, this model has {}; {}", wanted,
                         key.to_toml(), kInstead));
  };
  if (c.order() != 2) refuse(c.order, "order 2");
  if (!c.attention.layers().empty()) refuse(c.attention.layers, "no attention");
  if (!c.filter.modulate()) refuse(c.filter.modulate, "modulation");
  if (c.filter.shift() != kShift) refuse(c.filter.shift, "shift 0.05");
  return {{"architectures", {"HyenaDNAForCausalLM"}},
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
}

std::string original_name(const std::string& name) { return "model." + name; }

std::string hf_name(const std::string& name) {
  return name.starts_with("backbone.") ? "hyena." + name : name;
}

/// A further layout of names is a further row.
struct ExportFormat {
  const char* name;
  std::string (*rename)(const std::string& name);
  ordered_json (*config)(const ModelConfig& config);
};
constexpr ExportFormat kFormats[] = {
    {"safetensors", &original_name, &original_config},
    {"hf", &hf_name, &hf_config},
};

const ExportFormat& find_format(const std::string& name) {
  for (const ExportFormat& format : kFormats) {
    if (format.name == name) return format;
  }
  throw UsageError(fmt::format("--format: expected safetensors or hf, got \"{}\"", name));
}

}  // namespace

void export_weights(const ModelConfig& config, const fs::path& weights, const std::string& format,
                    const fs::path& folder) {
  const ExportFormat& chosen = find_format(format);
  const ordered_json json = chosen.config(config);
  const auto shapes = build(config, c10::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  const files::SafetensorsFile file(weights);
  std::map<std::string, files::TensorView> tensors = file.tensors();
  fold_aliases(tensors, *shapes, weights.string());
  check_fits(state_dict(*shapes), tensors, weights.string());
  for (const Alias& alias : all_aliases(*shapes)) {
    tensors.emplace(alias.alias, tensors.at(alias.name));
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
