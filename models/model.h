// What every model family offers to training, evaluation and generation.
#pragma once

#include "models/config.h"

#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longconv::models {

/// A tensor's own learning rate or weight decay (models.md 0.5); the rest inherits the optimiser's.
struct ParameterOverride {
  std::string name;  ///< as in named_parameters()
  std::optional<double> lr;
  std::optional<double> weight_decay;
};

/// A causal language model over token ids. Every parameter appears once in named_parameters(), also
/// those that published files show under several names (models/layers/aliases.h). Under autocast
/// the results come in its dtype; take losses in float32.
class Model : public torch::nn::Module {
 public:
  /// ids (B, L) int64 -> hidden states after the final norm, (B, L, D). Throws ConfigError if
  /// L > l_max, ShapeError if ids are not (B, L) int64.
  virtual at::Tensor hidden(const at::Tensor& ids) = 0;
  /// ids (B, L) int64 -> logits (B, L, V), V = padded vocabulary.
  virtual at::Tensor logits(const at::Tensor& ids) = 0;
  [[nodiscard]] virtual std::vector<ParameterOverride> overrides() const = 0;
  [[nodiscard]] virtual std::int64_t vocab_size() const = 0;         ///< true ids
  [[nodiscard]] virtual std::int64_t padded_vocab_size() const = 0;  ///< columns of logits
  [[nodiscard]] virtual std::int64_t l_max() const = 0;              ///< longest input
  /// Whether what comes later never changes a position's result, so that a row may be padded on its
  /// right.
  [[nodiscard]] virtual bool is_causal() const { return false; }
};

/// Builds and initialises a model from its resolved config (vocab_size and l_max must be set > 0).
/// Randomness comes from LibTorch's default generator of the options' device. The meta device
/// builds shapes without memory; float64 gives positional features to full precision. Throws
/// ConfigError at the key's line.
std::shared_ptr<Model> build(const ModelConfig& config,
                             const at::TensorOptions& options = at::TensorOptions(at::kFloat));

/// Registered family names, for help and errors.
std::vector<std::string> families();

}  // namespace longconv::models
