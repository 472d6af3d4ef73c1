#include "models/layers/hyena_filter.h"

#include "core/ops/implicit_filter.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/unbind.h>
#include <fmt/format.h>

#include <utility>

namespace longconv::models {

FilterMlp::FilterMlp(const FilterConfig& config, std::int64_t outputs,
                     const at::TensorOptions& options, const at::Tensor& shared_freq)
    : freq(shared_freq), owns_freq_(!shared_freq.defined()) {
  const std::int64_t width = config.width();
  const std::int64_t inner = config.depth();
  for (std::int64_t i = 0; i <= inner; ++i) {
    linears.push_back(std::make_shared<Linear>(i == 0 ? config.emb_dim() : width, width,
                                               /*with_bias=*/true, options));
  }
  linears.push_back(std::make_shared<Linear>(width, outputs, /*with_bias=*/false, options));
  // Published names count the activations too: linears are 0, 2, 4, .., activations 1, 3, ..
  for (std::size_t i = 0; i < linears.size(); ++i) {
    register_module(std::to_string(2 * i), linears[i]);
    if (i == 0 && owns_freq_) {
      const auto sine = register_module("1", std::make_shared<torch::nn::Module>());
      freq = sine->register_parameter("freq", at::full({1, width}, config.sine_freq(), options));
    }
  }
}

std::vector<Alias> FilterMlp::aliases() const {
  std::vector<Alias> out;
  if (!owns_freq_) return out;
  for (std::size_t i = 1; i + 1 < linears.size(); ++i) {
    out.push_back({std::to_string(2 * i + 1) + ".freq", "1.freq"});
  }
  return out;
}

HyenaFilter::HyenaFilter(const FilterConfig& config, std::int64_t channels, std::int64_t count,
                         std::int64_t l_max, const at::TensorOptions& options)
    : channels_(channels),
      count_(count),
      v_major_(config.layout() == "v_major"),
      modulate_(config.modulate()),
      shift_(config.shift()) {
  if (config.emb_dim() % 2 == 0) {
    config.emb_dim.fail(fmt::format(
        "expected an odd number (time, then cosine and sine bands), got {}", config.emb_dim()));
  }
  if (config.target() >= 1.0) {
    config.target.fail(
        fmt::format("expected a number below 1 to decay to, got {}", config.target()));
  }
  bias = register_parameter("bias", at::randn({channels * count}, options));

  const ops::PositionalFeatures features =
      ops::positional_features(l_max, config.emb_dim(), options);
  const auto pos_emb = register_module("pos_emb", std::make_shared<torch::nn::Module>());
  z_ = config.train_positions() ? pos_emb->register_parameter("z", features.z)
                                : pos_emb->register_buffer("z", features.z);
  t_ = pos_emb->register_buffer("t", features.t);

  mlp_ = register_module("implicit_filter",
                         std::make_shared<FilterMlp>(config, channels * count, options));
  if (config.bidirectional()) {
    reverse_mlp_ =
        register_module("implicit_filter_rev",
                        std::make_shared<FilterMlp>(config, channels * count, options, mlp_->freq));
  }

  const auto modulation = register_module("modulation", std::make_shared<torch::nn::Module>());
  deltas_ = modulation->register_buffer(
      "deltas", ops::modulation_deltas(channels * count, config.fast_decay_pct(),
                                       config.slow_decay_pct(), config.target(), options));
}

std::vector<Alias> HyenaFilter::aliases() const {
  std::vector<Alias> out;
  if (reverse_mlp_) {
    for (std::size_t i = 0; i + 1 < reverse_mlp_->linears.size(); ++i) {
      out.push_back(
          {fmt::format("implicit_filter_rev.{}.freq", 2 * i + 1), "implicit_filter.1.freq"});
    }
  }
  return out;
}

std::vector<LongFilter> HyenaFilter::filters(std::int64_t length) {
  std::vector<LongFilter> all = store_.get(length, inputs(), [&] { return evaluate(length); });
  // The reverse filters follow the forward ones; a pair has one spectrum, the forward one's.
  const auto count = static_cast<std::size_t>(count_);
  for (std::size_t o = 0; o + count < all.size(); ++o) all[o].k_reverse = all[o + count].k;
  all.resize(count);
  return all;
}

std::vector<at::Tensor> HyenaFilter::inputs() const {
  std::vector<at::Tensor> all = {z_, t_, deltas_, mlp_->freq};
  for (const auto& mlp : {mlp_, reverse_mlp_}) {
    if (!mlp) continue;
    for (const auto& linear : mlp->linears) {
      all.push_back(linear->weight);
      all.push_back(linear->bias);  // undefined for the last
    }
  }
  return all;
}

std::vector<at::Tensor> HyenaFilter::evaluate(std::int64_t length) const {
  std::vector<at::Tensor> out = evaluate(*mlp_, length);
  if (reverse_mlp_) {
    for (at::Tensor& filter : evaluate(*reverse_mlp_, length)) out.push_back(std::move(filter));
  }
  return out;
}

std::vector<at::Tensor> HyenaFilter::evaluate(const FilterMlp& mlp, std::int64_t length) const {
  ops::ImplicitFilterInputs inputs;
  inputs.z = z_;
  inputs.t = t_;
  for (const auto& linear : mlp.linears) {
    inputs.weights.push_back(linear->weight);
    if (linear->bias.defined()) inputs.biases.push_back(linear->bias);
  }
  inputs.freq = mlp.freq;
  if (modulate_) inputs.deltas = deltas_;
  inputs.shift = shift_;
  const at::Tensor h = ops::implicit_filter(inputs, length);  // (L, D count)
  if (count_ == 1) return {h.t()};
  std::vector<at::Tensor> out;
  for (const at::Tensor& filter : split_by_order(h)) out.push_back(filter.t());
  return out;
}

std::vector<at::Tensor> HyenaFilter::skips() const {
  return count_ == 1 ? std::vector<at::Tensor>{bias} : split_by_order(bias);
}

std::vector<at::Tensor> HyenaFilter::split_by_order(const at::Tensor& x) const {
  return v_major_ ? at::unbind(x.unflatten(-1, {channels_, count_}), -1)
                  : at::unbind(x.unflatten(-1, {count_, channels_}), -2);
}

}  // namespace longconv::models
