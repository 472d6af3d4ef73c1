#include "models/cost/cost.h"

#include "models/heads/language_model.h"
#include "models/model.h"

#include <cmath>

namespace longconv::models {

double Cost::forward_flops_per_token() const {
  double sum = 0.0;
  for (const CostTerm& term : terms) sum += term.flops;
  return sum;
}

namespace {

/// The encoder's Linear, per layer the C convolutions and the output's Linear, the MLPs; a decoder
/// after pooling costs nothing a token.
std::vector<CostTerm> long_conv_terms(const ModelConfig& config) {
  const auto d = static_cast<double>(config.d_model());
  const auto layers = static_cast<double>(config.n_layers());
  const auto channels = static_cast<double>(config.filter.channels());
  const double columns = config.postact() == "glu" ? 2.0 : config.postact() == "id" ? 1.0 : 0.0;
  std::vector<CostTerm> out;
  const auto add = [&out](const char* name, double flops) {
    if (flops > 0.0) out.push_back({name, flops});
  };
  add("encoder", 2.0 * static_cast<double>(config.d_input()) * d);
  add("long_conv", layers * 10.0 * channels * d * std::log2(static_cast<double>(config.l_max())));
  add("output", layers * 2.0 * channels * d * columns * d);
  if (config.mlp_blocks()) {
    add("mlp", layers * 4.0 * d * static_cast<double>(config.inner_width()));
  }
  if (config.head.kind() == "regressor") {
    add("head", 2.0 * d * static_cast<double>(config.head.n_classes()));
  }
  return out;
}

}  // namespace

Cost cost(const ModelConfig& config) {
  Cost out;
  // The modules themselves, without memory: the count cannot drift from what is trained.
  const auto model = build(config, at::TensorOptions(at::kFloat).device(at::kMeta));
  for (const at::Tensor& parameter : model->parameters()) out.parameters += parameter.numel();

  if (config.family() == "long_conv") {
    out.terms = long_conv_terms(config);
    return out;
  }
  const auto d = static_cast<double>(config.d_model());
  const auto inner = static_cast<double>(config.inner_width());
  const auto order = static_cast<double>(config.order());
  const auto length = static_cast<double>(config.l_max());
  const auto attending = static_cast<double>(config.attention.layers().size());
  const auto layers = static_cast<double>(config.n_layers());
  const auto convolving = layers - attending;
  const auto taps = static_cast<double>(config.short_filter.taps());
  const auto add = [&out](const char* name, double flops) {
    if (flops > 0.0) out.terms.push_back({name, flops});
  };
  const bool explicit_filters = config.family() == "h3_conv";
  const double convolutions = explicit_filters ? 2.0 : order - 1.0;
  add("projections", convolving * 2.0 * (explicit_filters ? 3.0 : order + 1.0) * d * d);
  if (!explicit_filters) add("short_conv", convolving * 2.0 * (order + 1.0) * d * taps);
  add("long_conv", convolving * 10.0 * convolutions * d * std::log2(length));
  add("output", convolving * 2.0 * d * d);
  add("attention", attending * (8.0 * d * d + 2.0 * d * length));
  add("mlp", layers * 4.0 * d * inner);
  if (const auto* lm = dynamic_cast<const LanguageModel*>(model.get())) {
    add("head", 2.0 * d * static_cast<double>(lm->padded_vocab_size()));
  }

  if (explicit_filters) return out;
  const auto width = static_cast<double>(config.filter.width());
  const double mlp = static_cast<double>(config.filter.emb_dim()) * width +
                     static_cast<double>(config.filter.depth()) * width * width +
                     width * (order - 1.0) * d;
  out.filter_flops_per_pass = convolving * 2.0 * length * mlp;
  return out;
}

}  // namespace longconv::models
