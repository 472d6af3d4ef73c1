// The small deterministic models of the published goldens (models.md 8.1 - 8.3): configurations,
// the order in which tensors are filled, and token ids.
#pragma once

#include "models/layers/hyena_operator.h"
#include "models/model.h"
#include "tests/support/golden.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <string>
#include <vector>

namespace longconv::testing {

/// A golden's values from a tensor of any dtype.
inline std::vector<double> values(const at::Tensor& x) {
  const at::Tensor flat = x.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// `want`: a Golden or the Moments of a gradient.
template <class Want>
::testing::AssertionResult matches(const at::Tensor& x, const Want& want, double tolerance) {
  return matches(values(x), want, tolerance);
}

/// det(tid, shape) as a tensor.
inline at::Tensor det(int tid, at::IntArrayRef shape,
                      const at::TensorOptions& options = at::TensorOptions(at::kDouble)) {
  const std::vector<double> fill =
      det(tid, static_cast<std::size_t>(c10::multiply_integers(shape)));
  return torch::tensor(fill, at::kDouble).view(shape).to(options);
}

/// ids(B, L, lo, V)[b][j] = lo + (7 (b L + j) + 3 b + 5) mod (V - lo).
inline at::Tensor token_ids(std::int64_t batch, std::int64_t length, std::int64_t low,
                            std::int64_t vocab) {
  at::Tensor ids = torch::empty({batch, length}, at::kLong);
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t j = 0; j < length; ++j) {
      ids[b][j] = low + (7 * (b * length + j) + 3 * b + 5) % (vocab - low);
    }
  }
  return ids;
}

/// Scale and offset by kind of tensor (8.1).
inline at::Tensor golden_fill(const std::string& name, int tid, const at::Tensor& like) {
  const at::Tensor wave = det(tid, like.sizes(), like.options());
  const bool weight = name.ends_with(".weight") || name == "weight";
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (has("norm") || has("Norm") || has("ln_f")) return weight ? 1.0 + 0.1 * wave : 0.1 * wave;
  if (has("_embeddings.") || has("filter_fn.bias") || has("filter_fn2.bias")) return 0.5 * wave;
  return weight ? 0.3 * wave : 0.1 * wave;
}

/// The tensors of an operator in the goldens' order.
inline std::vector<std::string> operator_names() {
  const std::string mlp = "filter_fn.implicit_filter.";
  return {"in_proj.weight",  "in_proj.bias",   "short_filter.weight", "short_filter.bias",
          "filter_fn.bias",  mlp + "0.weight", mlp + "0.bias",        mlp + "2.weight",
          mlp + "2.bias",    mlp + "4.weight", mlp + "4.bias",        mlp + "6.weight",
          "out_proj.weight", "out_proj.bias"};
}

/// The tensors of a language model in the goldens' order.
inline std::vector<std::string> language_model_names(int layers) {
  std::vector<std::string> out = {"backbone.embeddings.word_embeddings.weight"};
  for (int i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("backbone.layers.{}.", i);
    for (const std::string& name : operator_names()) {
      out.push_back(fmt::format("{}mixer.{}", layer, name));
    }
    for (const char* name : {"norm1.weight", "norm1.bias", "mlp.fc1.weight", "mlp.fc1.bias",
                             "mlp.fc2.weight", "mlp.fc2.bias", "norm2.weight", "norm2.bias"}) {
      out.push_back(layer + name);
    }
  }
  out.insert(out.end(), {"backbone.ln_f.weight", "backbone.ln_f.bias"});
  return out;
}

/// Fills `names` with tids 0, 1, ..; `strong` multiplies the projections by 3 (the "s" goldens).
inline void fill(torch::nn::Module& module, const std::vector<std::string>& names, bool strong) {
  const at::NoGradGuard no_grad;
  auto parameters = module.named_parameters();
  int tid = 0;
  for (const std::string& name : names) {
    at::Tensor& parameter = parameters[name];  // throws for an unknown name
    parameter.copy_(golden_fill(name, tid++, parameter));
    const auto ends = [&](const char* end) { return name.ends_with(end); };
    const bool projects = ends("in_proj.weight") || ends("short_filter.weight") ||
                          ends("out_proj.weight") || ends("in_linear.weight") ||
                          ends("out_linear.weight");
    if (strong && projects) parameter.mul_(3.0);
  }
}

/// What the goldens vary.
struct SmallModel {
  std::int64_t d_model = 8;
  std::int64_t d_inner = 32;
  std::int64_t order = 2;
  std::int64_t emb_dim = 5;
  std::int64_t l_max = 18;
  std::int64_t vocab = 16;
  double sine_freq = 10.0;
  double shift = 0.05;
  bool modulate = true;
  bool strong = false;
  bool train_positions = false;
  const char* layout = "v_major";
};

inline void configure(models::ModelConfig& config, const SmallModel& small) {
  config.d_model.set(small.d_model);
  config.n_layers.set(2);
  config.d_inner.set(small.d_inner);
  config.order.set(small.order);
  config.l_max.set(small.l_max);
  config.vocab_size.set(small.vocab);
  config.filter.emb_dim.set(small.emb_dim);
  config.filter.width.set(8);
  config.filter.sine_freq.set(small.sine_freq);
  config.filter.shift.set(small.shift);
  config.filter.modulate.set(small.modulate);
  config.filter.train_positions.set(small.train_positions);
  config.filter.layout.set(small.layout);
}

inline std::shared_ptr<models::Model> golden_model(const SmallModel& small,
                                                   const at::TensorOptions& options) {
  models::ModelConfig config;
  configure(config, small);
  auto model = models::build(config, options);
  fill(*model, language_model_names(2), small.strong);
  model->eval();
  return model;
}

/// G2 and G3: D 6, E 5, F 8, l_max 16, w 10; z trainable, as their gradients list it.
inline std::shared_ptr<models::HyenaOperator> golden_operator(std::int64_t order, bool strong,
                                                              const at::TensorOptions& options,
                                                              const char* layout = "v_major") {
  models::ModelConfig config;
  SmallModel small;
  small.d_model = 6;
  small.order = order;
  small.l_max = 16;
  small.shift = 0.0;
  small.train_positions = true;
  small.layout = layout;
  configure(config, small);
  auto mixer = std::make_shared<models::HyenaOperator>(config, options);
  fill(*mixer, operator_names(), strong);
  return mixer;
}

/// G4 and its variants; G5 has its own shape.
inline SmallModel g4(bool strong, double shift = 0.05) {
  SmallModel small;
  small.strong = strong;
  small.shift = shift;
  return small;
}
inline SmallModel g5() {
  SmallModel small;
  small.d_inner = 16;
  small.vocab = 13;
  small.emb_dim = 7;
  small.l_max = 16;
  small.sine_freq = 14.0;
  small.modulate = false;
  small.shift = 0.0;
  return small;
}

/// bf16 as float32, all else as it is: what losses are taken in.
inline at::Tensor as_wide(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

/// Mean next-token cross-entropy in the logits' dtype, of bf16 in float32; padded columns included.
inline at::Tensor next_token_loss(const at::Tensor& logits, const at::Tensor& ids) {
  const std::int64_t steps = ids.size(1) - 1;
  return at::cross_entropy_loss(as_wide(logits).narrow(1, 0, steps).flatten(0, 1),
                                ids.narrow(1, 1, steps).flatten());
}

}  // namespace longconv::testing
