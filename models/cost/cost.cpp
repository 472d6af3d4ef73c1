#include "models/cost/cost.h"

#include "models/heads/language_model.h"
#include "models/model.h"

#include <algorithm>
#include <cmath>

namespace longconv::models {

double Cost::forward_flops_per_token() const {
  double sum = 0.0;
  for (const CostTerm& term : terms) sum += term.flops;
  return sum;
}

Cost cost(const ModelConfig& config) {
  Cost out;
  // The modules themselves, without memory: the count cannot drift from what is trained.
  const auto model = build(config, at::TensorOptions(at::kFloat).device(at::kMeta));
  for (const at::Tensor& parameter : model->parameters()) out.parameters += parameter.numel();

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
  add("projections", convolving * 2.0 * (order + 1.0) * d * d);
  add("short_conv", convolving * 2.0 * (order + 1.0) * d * taps);
  add("long_conv", convolving * 10.0 * (order - 1.0) * d * std::log2(length));
  add("output", convolving * 2.0 * d * d);
  add("attention", attending * (8.0 * d * d + 2.0 * d * length));
  add("mlp", layers * 4.0 * d * inner);
  if (const auto* lm = dynamic_cast<const LanguageModel*>(model.get())) {
    add("head", 2.0 * d * static_cast<double>(lm->padded_vocab_size()));
  }

  const auto width = static_cast<double>(config.filter.width());
  const double mlp = static_cast<double>(config.filter.emb_dim()) * width +
                     static_cast<double>(config.filter.depth()) * width * width +
                     width * (order - 1.0) * d;
  out.filter_flops_per_pass = convolving * 2.0 * length * mlp;
  return out;
}

std::int64_t forward_bytes_per_token(const ModelConfig& config, std::int64_t element_bytes,
                                     bool with_logits) {
  const std::int64_t d = config.d_model();
  const std::int64_t transforms = (8 + config.order()) * d;
  const std::int64_t mlp = 4 * d + 2 * config.inner_width();
  const std::int64_t columns = padded_vocab(config.vocab_size(), config.pad_vocab_multiple());
  return element_bytes * (std::max(transforms, mlp) + (with_logits ? 3 * columns : 0));
}

}  // namespace longconv::models
