#include "models/weights/backbone_facts.h"

#include "core/base/check.h"

#include <fmt/ranges.h>

namespace longconv::models {
namespace {

constexpr const char* kHead = "lm_head.weight";

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
    {"layer.l_max", "model.l_max"},
    {"attn_cfg.num_heads", "model.attention.n_heads"},
    {"attn_cfg.rotary_emb_dim", "model.attention.rotary_dim"},
    {"attn_cfg.dropout", "model.attention.dropout"},
};

}  // namespace

std::int64_t BackboneShapes::number(const char* key) const {
  const auto found = keys.find(key);
  return found == keys.end() ? 0 : std::stoll(found->second);
}

std::span<const Word> backbone_words() { return kWords; }

BackboneShapes read_backbone(const FactSources& from, const char* mixers) {
  BackboneShapes out;
  const auto set = [&](const char* key, std::int64_t value) {
    out.keys[key] = std::to_string(value);
  };
  const files::TensorView& embedding = need_tensor(from, kBackboneEmbedding, 2);
  out.rows = embedding.shape[0];
  out.d_model = embedding.shape[1];
  set("model.d_model", out.d_model);
  const std::int64_t layers = count_layers(from, "backbone.layers.");
  set("model.n_layers", layers);
  set("model.d_inner", need_tensor(from, "backbone.layers.0.mlp.fc1.weight", 2).shape[0]);

  std::vector<std::int64_t> attending;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string mixer = fmt::format("backbone.layers.{}.mixer.", i);
    if (has_tensor(from, mixer + "Wqkv.weight")) {
      attending.push_back(i);
    } else if (out.mixer.empty()) {
      out.mixer = mixer;
    }
  }
  if (!attending.empty()) {
    out.keys["model.attention.layers"] = fmt::format("[{}]", fmt::join(attending, ", "));
  }
  LONGCONV_CHECK(!out.mixer.empty(), CheckpointError,
                 "{}: every layer is attention; expected {} layers", from.where, mixers);
  out.keys["model.tie_embeddings"] = is_tied(from, kHead, kBackboneEmbedding) ? "true" : "false";
  return out;
}

}  // namespace longconv::models
