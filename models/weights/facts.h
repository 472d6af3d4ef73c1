// A model's configuration, found out from weights that others wrote, step by step: what the tensors
// say counts most, then config.json, then the published model they are recognised as; overrides
// come last. Families' parts are in *_facts.h.
#pragma once

#include "models/weights/model_folder.h"
#include "models/weights/repairs.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace longconv::models {

struct ModelFacts {
  std::unique_ptr<ModelFile> file;     ///< resolved
  std::string published;               ///< "HyenaDNA", ..; empty if it is none that is known
  std::string tokenizer;               ///< data::open_tokenizer's name, or empty
  std::vector<std::string> inferred;   ///< "model.l_max = 1026 (tensors)"
  std::vector<std::string> defaulted;  ///< keys that neither tensors nor config.json settle
};

/// Where an import's facts come from.
struct FactSources {
  const NamedTensors& named;
  const std::map<std::string, std::string>& config;  ///< config.json, flattened (source.h)
  const std::string& config_file;                    ///< for messages
  const std::vector<std::string>& overrides;
  const std::string& where;  ///< the weights, for messages
};

/// A word of config.json and our key for it.
struct Word {
  const char* published;
  const char* key;
};

/// A value that a published model's files leave open.
struct Setting {
  const char* key;
  const char* value;
};

/// The tensor, of so many dimensions, none of them 0. Throws CheckpointError naming it.
const files::TensorView& need_tensor(const FactSources& from, const std::string& name,
                                     std::size_t dimensions);

/// Whether there is such a tensor.
bool has_tensor(const FactSources& from, const std::string& name);

/// Whether a head's weight is the embedding's: absent, or the same bytes.
bool is_tied(const FactSources& from, const std::string& head, const std::string& embedding);

/// Layers from 0 below `prefix` ("backbone.layers."), as many as there are without a gap.
std::int64_t count_layers(const FactSources& from, const std::string& prefix);

/// Layers of a filter MLP between its first and its last.
std::int64_t count_inner_layers(const FactSources& from, const std::string& mlp);

/// In this order: the constructor, recognise() or leave_open(), read_config(), read_tensors(),
/// apply_overrides(), finish().
class FactsBuilder {
 public:
  /// `tensors`: key -> value as TOML writes it, what the tensors say.
  FactsBuilder(const FactSources& from, const char* family,
               std::map<std::string, std::string> tensors);

  /// These keys are listed as open unless a later step settles them.
  void leave_open(const std::set<std::string>& keys) { open_.insert(keys.begin(), keys.end()); }
  void recognise(const std::string& name, const std::string& tokenizer,
                 std::span<const Setting> settings);
  /// Of no known model: every row of the embedding is an id.
  void rows_are_ids(std::int64_t rows);
  /// Sets a key; an impossible value is a fault of the weights: CheckpointError with `origin`.
  void settle(const std::string& key, const std::string& value, const std::string& origin);
  void read_config(std::span<const Word> words);
  void read_tensors();
  void apply_overrides();
  /// Throws CheckpointError if the padded vocabulary is not the embedding's rows.
  void check_rows(const std::string& embedding, std::int64_t rows) const;
  ModelFacts finish();

  [[nodiscard]] const ModelConfig& model() const { return out_.file->model; }

 private:
  void assign(const std::string& key, const std::string& value, const std::string& origin);

  const FactSources& from_;
  std::map<std::string, std::string> tensors_;
  std::set<std::string> open_;
  ModelFacts out_;
};

}  // namespace longconv::models
