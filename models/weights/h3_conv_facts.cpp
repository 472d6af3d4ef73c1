#include "models/weights/h3_conv_facts.h"

#include "models/weights/backbone_facts.h"

#include <algorithm>

namespace longconv::models {
namespace {

constexpr std::int64_t kGpt2Rows = 50264;  // 50,257 ids in multiples of 8

/// Safari's words for explicit filters, beside those of the backbone.
constexpr Word kWords[] = {
    {"layer.lam", "model.filter.squash"},
    {"layer.kernel_dropout", "model.filter.dropout"},
    {"layer.learning_rate", "model.filter.lr"},
};

/// Of the 125M language model (models.md 4.5).
constexpr Setting kPublished[] = {
    {"model.vocab_size", "50257"},
    {"model.filter.squash", "0.003"},
    {"model.filter.dropout", "0.2"},
    {"model.attention.n_heads", "12"},
};

}  // namespace

bool is_h3_conv(const NamedTensors& named) {
  return std::any_of(named.tensors.begin(), named.tensors.end(), [](const auto& item) {
    return item.first.starts_with("backbone.layers.") &&
           item.first.ends_with(".mixer.k_kernel.kernel");
  });
}

ModelFacts h3_conv_facts(const FactSources& from) {
  BackboneShapes shapes = read_backbone(from, "H3");
  shapes.keys["model.l_max"] =
      std::to_string(need_tensor(from, shapes.mixer + "k_kernel.kernel", 3).shape[2]);
  FactsBuilder facts(from, "h3_conv", shapes.keys);
  facts.leave_open({"model.filter.squash", "model.filter.smooth", "model.filter.smooth_freq"});
  if (shapes.attends()) {
    facts.leave_open({"model.attention.n_heads", "model.attention.rotary_dim"});
  }
  if (shapes.rows == kGpt2Rows) {
    facts.recognise("H3 with long convolutions", "gpt2", kPublished);
  } else {
    facts.rows_are_ids(shapes.rows);
  }
  facts.read_config(backbone_words());
  facts.read_config(kWords);
  facts.read_tensors();
  facts.apply_overrides();
  facts.check_rows(kBackboneEmbedding, shapes.rows);
  return facts.finish();
}

}  // namespace longconv::models
