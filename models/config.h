// [model]: every key of every model family, with its default, range and help.
#pragma once

#include "core/config/section.h"

#include <limits>

namespace longconv::models {

struct FilterConfig : config::Section {
  explicit FilterConfig(Section* parent)
      : Section(parent, "filter",
                "Implicit filters, an MLP over positional features (1.2), and explicit ones, a "
                "parameter a tap (long_conv, 4.1)") {}
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
  config::Key<double> weight_decay{
      this, "weight_decay", 0.0, config::at_least(0.0),
      "weight decay of the filter MLP, where it is not the optimiser's (0.5)"};
  config::Key<std::string> layout{this, "layout", "v_major", config::one_of({"v_major", "o_major"}),
                                  "order of filter channels when order > 2 (1.4)"};
  config::Key<std::int64_t> channels{this, "channels", 2, config::at_least(std::int64_t{1}),
                                     "explicit: filters C of each input channel"};
  config::Key<bool> bidirectional{this, "bidirectional", false,
                                  "a second filter for the steps to come"};
  config::Key<double> squash{
      this, "squash", 0.003, config::at_least(0.0),
      "explicit: lambda; taps come nearer to 0 by it, those within it are 0 and do not learn"};
  config::Key<std::int64_t> smooth{this, "smooth", 0, config::at_least(std::int64_t{0}),
                                   "explicit: odd window of a moving average over time; 0 = none"};
  config::Key<std::int64_t> smooth_freq{
      this, "smooth_freq", 0, config::at_least(std::int64_t{0}),
      "explicit: odd window of a Gaussian over frequencies; 0 = none"};
  config::Key<double> dropout{this, "dropout", 0.2, config::between(0.0, 1.0),
                              "explicit: dropout of taps"};
  config::Key<std::string> init{this, "init", "random", config::one_of({"random", "double_exp"}),
                                "explicit: noise alone, or decaying at a rate of each channel"};
  config::Key<bool> alias{
      this, "alias", false,
      "explicit: for inputs shorter than l_max let late taps wrap around, as published (LC-2)"};
  config::Key<std::string> transform{
      this, "transform", "fft", config::one_of({"fft", "butterfly"}),
      "long_conv: how its convolutions transform input and filter: exactly, or by matrices that "
      "learn (4.6), which look ahead"};
  config::Key<double> transform_lr{this, "transform_lr", 1e-3, config::at_least(0.0),
                                   "butterfly: learning rate of its matrices; 0 = the optimiser's"};
  config::Key<bool> transform_per_channel{this, "transform_per_channel", false,
                                          "butterfly: matrices of each channel's own"};
  config::Key<bool> transform_additive{
      this, "transform_additive", false,
      "butterfly: learn what is added to the Fourier transform's matrices, not these themselves"};
  config::Key<double> transform_dropout{this, "transform_dropout", 0.0, config::between(0.0, 1.0),
                                        "butterfly: dropout of what learns"};
};

struct ShortFilterConfig : config::Section {
  explicit ShortFilterConfig(Section* parent)
      : Section(parent, "short_filter", "Short causal convolution of the projections") {}
  config::Key<std::int64_t> taps{this, "taps", 3, config::between(std::int64_t{1}, std::int64_t{8}),
                                 "taps"};
};

struct MlpConfig : config::Section {
  explicit MlpConfig(Section* parent)
      : Section(parent, "mlp", "M2-BERT's dimension mixer (3.1); other families have a plain MLP") {
  }
  config::Key<bool> glu{this, "glu", true, "gated: gelu of one half times the other half"};
  config::Key<std::int64_t> blocks{this, "blocks", 4, config::at_least(std::int64_t{0}),
                                   "diagonal blocks of its matrices; 0 = dense matrices"};
  config::Key<double> dropout{this, "dropout", 0.1, config::between(0.0, 1.0),
                              "dropout of its hidden units"};
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

struct HeadConfig : config::Section {
  explicit HeadConfig(Section* parent)
      : Section(parent, "head", "What the model gives, and so what it is trained for") {}
  config::Key<std::string> kind{this, "kind", "lm",
                                config::one_of({"lm", "mlm", "classifier", "regressor"}),
                                "lm = the next token, mlm = masked tokens, classifier = a class of "
                                "the whole input, regressor = numbers at every step (m2_bert: of "
                                "the whole input); what data.task asks for, if not given"};
  config::Key<std::string> pool{
      this, "pool", "mean", config::one_of({"last", "first", "mean", "sum", "ragged", "retrieval"}),
      "classifier: how the steps become one; retrieval = means of two inputs, compared (pairs); "
      "m2_bert's pooler: first = [CLS], or mean"};
  config::Key<std::int64_t> n_classes{this, "n_classes", 0, config::at_least(std::int64_t{0}),
                                      "classes, or numbers a step; 0 = the data's"};
  config::Key<bool> bias{
      this, "bias", true,
      "classifier, regressor: add one; false as in HyenaDNA's Hugging Face port"};
  config::Key<double> dropout{this, "dropout", 0.1, config::between(0.0, 1.0),
                              "m2_bert: dropout of what the pooler gives"};
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
                                       "ids; 0 = the tokenizer's, or none: see d_input"};
  config::Key<std::int64_t> d_input{
      this, "d_input", 0, config::at_least(std::int64_t{0}),
      "numbers a step of series, which a Linear takes in; 0 = the data's, or none: ids come in"};
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
                                    "dropout after the embedding, or the encoder of numbers"};
  config::Key<std::int64_t> soft_prompt{
      this, "soft_prompt", 0, config::at_least(std::int64_t{0}),
      "hyena, hyena_dna: trained vectors before the tokens of every input (5.6)"};
  config::Key<double> soft_prompt_dropout{this, "soft_prompt_dropout", 0.1,
                                          config::between(0.0, 1.0), "dropout of these"};
  config::Key<double> resid_dropout{this, "resid_dropout", 0.0, config::between(0.0, 1.0),
                                    "dropout of each block's output"};
  config::Key<bool> residual_long_conv{
      this, "residual_long_conv", true,
      "m2_bert: a second long convolution around the mixer's gates, of its input (3.1)"};
  config::Key<bool> mixer_norm{this, "mixer_norm", false,
                               "m2_bert: LayerNorm of the mixer's input (m2-bert-80M has it)"};
  config::Key<bool> same_layers{
      this, "same_layers", false,
      "m2_bert: short filters, skips and block-diagonal weights start the same in all layers, as "
      "published (3.4)"};
  config::Key<std::string> norm{
      this, "norm", "layer", config::one_of({"layer", "batch", "scalar"}),
      "long_conv: LayerNorm, BatchNorm over rows and steps, or one scale and shift for all (LC-5)"};
  config::Key<bool> prenorm{this, "prenorm", true,
                            "long_conv: norm before each layer and at the end; false = after each"};
  config::Key<bool> norm_counts_padding{
      this, "norm_counts_padding", true,
      "long_conv: BatchNorm's statistics are over padded steps too, as published (LC-3)"};
  config::Key<std::string> activation{this, "activation", "gelu",
                                      config::one_of({"gelu", "gelu_tanh", "relu", "silu", "id"}),
                                      "long_conv: after the convolution"};
  config::Key<std::string> postact{
      this, "postact", "glu", config::one_of({"glu", "id", "none"}),
      "long_conv: after the output's Linear; none = no Linear (one channel)"};
  config::Key<bool> weight_norm{this, "weight_norm", false,
                                "long_conv: the output's Linear as direction and length of rows"};
  config::Key<std::string> inner_dropout{
      this, "inner_dropout", "time", config::one_of({"time", "channel", "element"}),
      "long_conv: what resid_dropout drops between convolution and Linear: whole steps, as "
      "published (LC-4), whole channels, or values"};
  config::Key<bool> mlp_blocks{this, "mlp_blocks", false,
                               "long_conv: an MLP of width d_inner after each layer"};
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
  MlpConfig mlp{this};
  AttentionConfig attention{this};
  HeadConfig head{this};
};

}  // namespace longconv::models
