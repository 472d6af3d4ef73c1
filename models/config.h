// [model]: every key of every model family, with its default, range and help.
#pragma once

#include "core/config/section.h"

#include <limits>

namespace longconv::models {

struct FilterConfig : config::Section {
  explicit FilterConfig(Section* parent)
      : Section(parent, "filter", "Implicit filter: an MLP over positional features (1.2)") {}
  config::Key<std::int64_t> emb_dim{this, "emb_dim", 33, config::at_least(std::int64_t{3}),
                                    "positional features E, odd"};
  config::Key<std::int64_t> width{this, "width", 64, config::at_least(std::int64_t{1}),
                                  "hidden width F of the filter MLP"};
  config::Key<std::int64_t> depth{this, "depth", 2, config::at_least(std::int64_t{0}),
                                  "inner layers M of the filter MLP"};
  config::Key<double> sine_freq{this, "sine_freq", 14.0, config::above(0.0),
                                "initial frequency w of the sine activation"};
  config::Key<bool> modulate{this, "modulate", true, "multiply by the exponential window"};
  config::Key<double> shift{this, "shift", 0.0, config::at_least(0.0),
                            "added to the window, so that late taps do not vanish"};
  config::Key<double> fast_decay_pct{
      this, "fast_decay_pct", 0.3, config::above(0.0),
      "share of l_max after which the fastest channel reaches target"};
  config::Key<double> slow_decay_pct{
      this, "slow_decay_pct", 1.5, config::above(0.0),
      "share of l_max after which the slowest channel reaches target"};
  config::Key<double> target{this, "target", 1e-2, config::above(0.0),
                             "window value at the decay point"};
  config::Key<bool> train_positions{this, "train_positions", true,
                                    "train the positional features z"};
  config::Key<std::int64_t> max_taps{
      this, "max_taps", 0, config::at_least(std::int64_t{0}),
      "filters end after so many taps, at most l_max, and inputs may be longer than l_max (partial "
      "convolution, 5.8); 0 = filters as long as the input"};
  config::Key<double> lr{this, "lr", 0.0, config::at_least(0.0),
                         "learning rate of the filter MLP; 0 = the optimiser's"};
  config::Key<double> lr_positions{this, "lr_positions", 0.0, config::at_least(0.0),
                                   "learning rate of z; 0 = the optimiser's"};
  config::Key<std::string> layout{this, "layout", "v_major", config::one_of({"v_major", "o_major"}),
                                  "order of filter channels when order > 2 (1.4)"};
};

struct ShortFilterConfig : config::Section {
  explicit ShortFilterConfig(Section* parent)
      : Section(parent, "short_filter", "Short causal convolution of the projections") {}
  config::Key<std::int64_t> taps{this, "taps", 3, config::between(std::int64_t{1}, std::int64_t{8}),
                                 "taps"};
};

struct AttentionConfig : config::Section {
  explicit AttentionConfig(Section* parent)
      : Section(parent, "attention",
                "Causal attention in place of the mixer of some layers (2.7)") {}
  config::Key<std::vector<std::int64_t>> layers{this, "layers", {}, "layers that attend, from 0"};
  config::Key<std::int64_t> n_heads{this, "n_heads", 12, config::at_least(std::int64_t{1}),
                                    "heads"};
  config::Key<std::int64_t> rotary_dim{this, "rotary_dim", 0, config::at_least(std::int64_t{0}),
                                       "rotated dimensions per head; 0 = none"};
  config::Key<double> dropout{this, "dropout", 0.1, config::between(0.0, 1.0),
                              "dropout of the attention weights"};
};

struct ModelConfig : config::Section {
  explicit ModelConfig(Section* parent = nullptr) : Section(parent, "model", "The model") {}
  config::Key<std::string> family{this, "family", "hyena", "model family; see `longconv inspect`"};
  config::Key<std::int64_t> d_model{this, "d_model", 768, config::at_least(std::int64_t{1}),
                                    "width D"};
  config::Key<std::int64_t> n_layers{this, "n_layers", 12, config::at_least(std::int64_t{1}),
                                     "blocks"};
  config::Key<std::int64_t> d_inner{this, "d_inner", 0, config::at_least(std::int64_t{0}),
                                    "width of the MLP; 0 = 4 d_model"};
  config::Key<std::int64_t> order{this, "order", 2, config::at_least(std::int64_t{2}),
                                  "order N of the Hyena recurrence"};
  config::Key<std::int64_t> l_max{this, "l_max", 0, config::at_least(std::int64_t{0}),
                                  "length the filters are built for; 0 = data.seq_len"};
  config::Key<std::int64_t> vocab_size{this, "vocab_size", 0, config::at_least(std::int64_t{0}),
                                       "ids; 0 = the tokenizer's"};
  config::Key<std::int64_t> pad_vocab_multiple{this, "pad_vocab_multiple", 8,
                                               config::at_least(std::int64_t{1}),
                                               "embedding rows are rounded up to a multiple"};
  config::Key<bool> tie_embeddings{this, "tie_embeddings", true,
                                   "the head's weight is the embedding's"};
  config::Key<bool> residual_in_fp32{this, "residual_in_fp32", true,
                                     "keep the residual stream in float32 under autocast"};
  config::Key<double> norm_eps{this, "norm_eps", 1e-5, config::above(0.0), "LayerNorm's epsilon"};
  config::Key<double> init_std{this, "init_std", 0.02, config::above(0.0),
                               "standard deviation of Linear and Embedding weights"};
  config::Key<double> embed_dropout{this, "embed_dropout", 0.1, config::between(0.0, 1.0),
                                    "dropout after the embedding"};
  config::Key<double> resid_dropout{this, "resid_dropout", 0.0, config::between(0.0, 1.0),
                                    "dropout of each block's output"};
  /// Tokens of the longest input: any number where the filters end on their own.
  [[nodiscard]] std::int64_t longest_input() const {
    return filter.max_taps() > 0 ? std::numeric_limits<std::int64_t>::max() : l_max();
  }
  /// Width of the MLP, the default filled in.
  [[nodiscard]] std::int64_t inner_width() const {
    return d_inner() > 0 ? d_inner() : 4 * d_model();
  }

  FilterConfig filter{this};
  ShortFilterConfig short_filter{this};
  AttentionConfig attention{this};
};

}  // namespace longconv::models
