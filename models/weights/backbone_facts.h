// What the tensors of safari's language-model backbone say whatever its mixers are (models.md 2.2):
// widths, layers, which of them attend, whether the head is tied. Shared by the families that have
// it.
#pragma once

#include "models/weights/facts.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace longconv::models {

inline constexpr const char* kBackboneEmbedding = "backbone.embeddings.word_embeddings.weight";

struct BackboneShapes {
  std::int64_t rows = 0;  ///< of the embedding
  std::int64_t d_model = 0;
  std::string mixer;                        ///< of the first layer that does not attend, with a dot
  std::map<std::string, std::string> keys;  ///< key -> value as TOML writes it

  [[nodiscard]] std::int64_t number(const char* key) const;
  [[nodiscard]] bool attends() const { return keys.count("model.attention.layers") != 0; }
};

/// Throws CheckpointError naming the tensor that is missing or misshapen; `mixers` is what is
/// expected of some layer, for the message.
BackboneShapes read_backbone(const FactSources& from, const char* mixers);

/// Words of config.json that safari and HyenaDNA have for the backbone.
std::span<const Word> backbone_words();

}  // namespace longconv::models
