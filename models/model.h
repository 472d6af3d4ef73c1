// What every model family offers to training, evaluation and generation.
#pragma once

#include "models/config.h"

#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longconv::models {

/// A tensor's own learning rate or weight decay (models.md 0.5); the rest inherits the optimiser's.
struct ParameterOverride {
  std::string name;  ///< as in named_parameters()
  std::optional<double> lr;
  std::optional<double> weight_decay;
};

/// One batch as a model reads it.
struct Input {
  /// Rows of ids, or of series; what else there is stays undefined.
  Input(at::Tensor rows) : values(std::move(rows)) {}  // NOLINT: ids alone are an input
  Input(at::Tensor rows, at::Tensor row_lengths, at::Tensor row_types = {})
      : values(std::move(rows)), lengths(std::move(row_lengths)), types(std::move(row_types)) {}

  at::Tensor values;   ///< (B, L) int64 ids, or (B, L, C) floats
  at::Tensor lengths;  ///< (B) int64, steps of a row before its padding on the right; undefined:
                       ///< all count, also those of a row padded on its left
  at::Tensor types;    ///< (B, L) int64, BERT's token types; undefined: none
};

/// What training and evaluation see of a model. Every parameter appears once in named_parameters(),
/// also those that published files show under several names (models/layers/aliases.h). Under
/// autocast the results come in its dtype; take losses in float32.
class Model : public torch::nn::Module {
 public:
  /// Hidden states after the final norm, (B, L, D). Throws ConfigError if L > l_max, ShapeError if
  /// the input is not of the model's kind.
  virtual at::Tensor hidden(const Input& input) = 0;
  /// What the head makes of them, by model.head.kind:
  ///   lm, mlm     (B, L, V) logits, V = padded vocabulary
  ///   classifier  (B, n_classes) logits; pool = ragged: (B, longest row, n_classes); retrieval:
  ///               (B / 2, n_classes)
  ///   regressor   (B, L, n_classes), the numbers themselves; of a model with a pooler (B,
  ///               n_classes)
  virtual at::Tensor logits(const Input& input) = 0;
  /// What its pooler makes of a row, (B, D); undefined for a model that has none.
  virtual at::Tensor pooled(const Input& /*input*/) { return {}; }
  [[nodiscard]] virtual std::vector<ParameterOverride> overrides() const = 0;
  [[nodiscard]] virtual std::int64_t l_max() const = 0;  ///< longest input
  /// Whether what comes later never changes a position's result, so that a row may be padded on its
  /// right.
  [[nodiscard]] virtual bool is_causal() const { return false; }
};

/// A model whose head is lm or mlm.
class LanguageModel : public Model {
 public:
  [[nodiscard]] virtual std::int64_t vocab_size() const = 0;         ///< true ids
  [[nodiscard]] virtual std::int64_t padded_vocab_size() const = 0;  ///< columns of logits
};

/// Builds and initialises a model from its resolved config (l_max, and vocab_size or d_input, must
/// be set > 0; for classifiers and regressors n_classes too).
/// Randomness comes from LibTorch's default generator of the options' device. The meta device
/// builds shapes without memory; float64 gives positional features to full precision. Throws
/// ConfigError at the key's line.
std::shared_ptr<Model> build(const ModelConfig& config,
                             const at::TensorOptions& options = at::TensorOptions(at::kFloat));

/// Registered family names, for help and errors.
std::vector<std::string> families();

}  // namespace longconv::models
