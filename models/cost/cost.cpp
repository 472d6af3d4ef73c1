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

namespace {

void add(Cost& cost, const char* name, double flops) {
  if (flops > 0.0) cost.terms.push_back({name, flops});
}

/// Multiply-adds of the filter MLP at one step, for `outputs` channels.
double filter_network(const FilterConfig& filter, double outputs) {
  const auto width = static_cast<double>(filter.width());
  return static_cast<double>(filter.emb_dim()) * width +
         static_cast<double>(filter.depth()) * width * width + width * outputs;
}

/// Complex products with matrices: a transform of n = 2 l_max points, of `rows` inputs a step and,
/// a pass, of `filters` filters each; then the spectra's product and the inverse FFT.
void add_butterfly(Cost& out, const ModelConfig& config, double rows, double filters) {
  const auto length = static_cast<double>(config.l_max());
  const double log_n = std::ceil(std::log2(2.0 * length));
  const double points = std::exp2(log_n);
  const double whole = std::floor(log_n / 4.0);  // factors 16, then the rest
  const double rest = log_n - 4.0 * whole;
  const double products = 16.0 * whole + (rest > 0.0 ? std::exp2(rest) : 0.0);
  constexpr double kComplexMultiplyAdd = 8.0;
  const double transform = rows * kComplexMultiplyAdd * points * products;
  add(out, "butterfly", transform / length);
  add(out, "long_conv", rows * filters * points * (6.0 + 5.0 * log_n) / length);
  out.filter_flops_per_pass = filters * transform;
}

/// The encoder's Linear, per layer the C convolutions and the output's Linear, the MLPs; a decoder
/// after pooling costs nothing a token.
void add_long_conv(Cost& out, const ModelConfig& config) {
  const auto d = static_cast<double>(config.d_model());
  const auto layers = static_cast<double>(config.n_layers());
  const auto channels = static_cast<double>(config.filter.channels());
  const double columns = config.postact() == "glu" ? 2.0 : config.postact() == "id" ? 1.0 : 0.0;
  add(out, "encoder", 2.0 * static_cast<double>(config.d_input()) * d);
  if (config.filter.transform() == "butterfly") {
    add_butterfly(out, config, layers * d, channels);
  } else {
    add(out, "long_conv",
        layers * 10.0 * channels * d * std::log2(static_cast<double>(config.l_max())));
  }
  add(out, "output", layers * 2.0 * channels * d * columns * d);
  if (config.mlp_blocks()) {
    add(out, "mlp", layers * 4.0 * d * static_cast<double>(config.inner_width()));
  }
  if (config.head.kind() == "regressor") {
    add(out, "head", 2.0 * d * static_cast<double>(config.head.n_classes()));
  }
}

void add_hyena(Cost& out, const ModelConfig& config) {
  const auto d = static_cast<double>(config.d_model());
  const auto inner = static_cast<double>(config.inner_width());
  const auto order = static_cast<double>(config.order());
  const auto length = static_cast<double>(config.l_max());
  const auto attending = static_cast<double>(config.attention.layers().size());
  const auto layers = static_cast<double>(config.n_layers());
  const auto convolving = layers - attending;
  const auto taps = static_cast<double>(config.short_filter.taps());
  const bool explicit_filters = config.family() == "h3_conv";
  const double convolutions = explicit_filters ? 2.0 : order - 1.0;
  add(out, "projections", convolving * 2.0 * (explicit_filters ? 3.0 : order + 1.0) * d * d);
  if (!explicit_filters) add(out, "short_conv", convolving * 2.0 * (order + 1.0) * d * taps);
  add(out, "long_conv", convolving * 10.0 * convolutions * d * std::log2(length));
  add(out, "output", convolving * 2.0 * d * d);
  add(out, "attention", attending * (8.0 * d * d + 2.0 * d * length));
  add(out, "mlp", layers * 4.0 * d * inner);
  if (explicit_filters) return;
  out.filter_flops_per_pass =
      convolving * 2.0 * length * filter_network(config.filter, (order - 1.0) * d);
}

/// One transform does both directions; the residual convolution is a second one.
void add_m2_bert(Cost& out, const ModelConfig& config) {
  const auto d = static_cast<double>(config.d_model());
  const auto inner = static_cast<double>(config.inner_width());
  const auto length = static_cast<double>(config.l_max());
  const auto layers = static_cast<double>(config.n_layers());
  const auto taps = static_cast<double>(config.short_filter.taps());
  const auto blocks = static_cast<double>(std::max<std::int64_t>(config.mlp.blocks(), 1));
  const double convolutions = config.residual_long_conv() ? 2.0 : 1.0;
  const double directions = config.filter.bidirectional() ? 2.0 : 1.0;
  add(out, "projections", layers * 6.0 * d * d);
  add(out, "short_conv", layers * 6.0 * d * taps);
  add(out, "long_conv", layers * convolutions * 10.0 * d * std::log2(length));
  add(out, "output", layers * 2.0 * d * d);
  add(out, "mlp", layers * 2.0 * d * inner * (config.mlp.glu() ? 3.0 : 2.0) / blocks);
  if (config.head.kind() == "mlm") add(out, "head_transform", 2.0 * d * d);
  out.filter_flops_per_pass =
      layers * convolutions * directions * 2.0 * length * filter_network(config.filter, d);
}

}  // namespace

Cost cost(const ModelConfig& config) {
  Cost out;
  // The modules themselves, without memory: the count cannot drift from what is trained.
  const auto model = build(config, at::TensorOptions(at::kFloat).device(at::kMeta));
  for (const at::Tensor& parameter : model->parameters()) out.parameters += parameter.numel();
  if (config.family() == "long_conv") {
    add_long_conv(out, config);
    return out;
  }
  if (config.family() == "m2_bert") {
    add_m2_bert(out, config);
  } else {
    add_hyena(out, config);
  }
  if (const auto* lm = dynamic_cast<const LanguageModel*>(model.get())) {
    add(out, "head",
        2.0 * static_cast<double>(config.d_model()) * static_cast<double>(lm->padded_vocab_size()));
  }
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
