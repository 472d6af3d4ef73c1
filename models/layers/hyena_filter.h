// The implicit filter of Hyena (arXiv:2302.10866, section 3.3; models.md 1.2):
//
//   h[c,t] = W_last sin(freq * (W ... sin(freq * (W_0 z[t] + b_0)) ...))  *  window[c,t]
//   window[c,t] = exp(-tau[t] |delta[c]|) + shift
//
// core/ops/implicit_filter.h computes it. z holds positional features for l_max steps; a shorter
// input reads its prefix, nothing is re-normalised, so a filter depends on the l_max it was built
// for.
//
// A bidirectional filter (M2-BERT, arXiv:2310.12109; models.md 3.1) has a second MLP for the future
// steps, over the same features, with the same frequencies and window.
//
// Names: bias (the skip d), pos_emb.{z,t}, implicit_filter.{0,2,..}.{weight,bias},
// implicit_filter.1.freq (aliases .3, .5, ..), modulation.deltas; bidirectional ones also
// implicit_filter_rev.{0,2,..}.{weight,bias} (its .1.freq, .. are aliases too).
#pragma once

#include "models/config.h"
#include "models/layers/aliases.h"
#include "models/layers/basic.h"
#include "models/layers/filter_store.h"

#include <vector>

namespace longconv::models {

/// The parameters of the MLP over positional features; one sine frequency for all activations.
class FilterMlp : public torch::nn::Module, public HasAliases {
 public:
  /// `shared_freq`: the frequency of another MLP, which stays registered there; undefined for one
  /// of its own.
  FilterMlp(const FilterConfig& config, std::int64_t outputs, const at::TensorOptions& options,
            const at::Tensor& shared_freq = {});
  [[nodiscard]] std::vector<Alias> aliases() const override;

  std::vector<std::shared_ptr<Linear>> linears;  ///< E -> F, M times F -> F, F -> outputs (no bias)
  at::Tensor freq;                               ///< (1, F)

 private:
  bool owns_freq_;
};

class HyenaFilter : public torch::nn::Module, public HasFilterStore, public HasAliases {
 public:
  /// `count` filters (order - 1) for each of `channels` channels. Throws ConfigError at the key.
  HyenaFilter(const FilterConfig& config, std::int64_t channels, std::int64_t count,
              std::int64_t l_max, const at::TensorOptions& options);

  /// Filters for the first `length` <= l_max steps: `count` of them (D, length) in application
  /// order, with k_reverse where bidirectional, in the parameters' dtype whatever autocast says.
  /// Made anew only if filter_store() has none that still hold.
  [[nodiscard]] std::vector<LongFilter> filters(std::int64_t length);
  /// The skip weights, `count` tensors (D).
  [[nodiscard]] std::vector<at::Tensor> skips() const;

  [[nodiscard]] std::int64_t count() const { return count_; }
  FilterStore& filter_store() override { return store_; }
  [[nodiscard]] std::vector<Alias> aliases() const override;

  at::Tensor bias;  ///< (D count), starts N(0, 1)

 private:
  /// What filters() makes: each network over the features' first `length` rows.
  [[nodiscard]] std::vector<at::Tensor> evaluate(std::int64_t length) const;
  [[nodiscard]] std::vector<at::Tensor> evaluate(const FilterMlp& mlp, std::int64_t length) const;
  /// Every tensor that evaluate() reads.
  [[nodiscard]] std::vector<at::Tensor> inputs() const;
  /// (..., D count) in the configured channel layout (1.4) -> `count` views (..., D).
  [[nodiscard]] std::vector<at::Tensor> split_by_order(const at::Tensor& x) const;

  std::int64_t channels_;
  std::int64_t count_;
  bool v_major_;
  bool modulate_;
  double shift_;
  std::shared_ptr<FilterMlp> mlp_;
  std::shared_ptr<FilterMlp> reverse_mlp_;  ///< null: causal
  at::Tensor z_;                            ///< (1, l_max, E)
  at::Tensor t_;                            ///< (1, l_max, 1)
  at::Tensor deltas_;                       ///< (1, 1, D count)
  FilterStore store_;
};

}  // namespace longconv::models
