#include "train/optim/optimizer.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace longconv::train {
namespace {

/// Names of each trainable tensor, in the order of first registration.
std::vector<std::pair<at::Tensor, std::vector<std::string>>> trainable(const models::Model& model) {
  std::vector<std::pair<at::Tensor, std::vector<std::string>>> out;
  std::map<const c10::TensorImpl*, std::size_t> seen;
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const auto [place, is_new] = seen.emplace(item.value().unsafeGetTensorImpl(), out.size());
    if (is_new) out.emplace_back(item.value(), std::vector<std::string>{});
    out[place->second].second.push_back(item.key());
  }
  return out;
}

}  // namespace

std::vector<ParameterInfo> parameter_infos(const models::Model& model) {
  std::map<std::string, models::ParameterOverride> overrides;
  for (auto& entry : model.overrides()) overrides[entry.name] = entry;
  std::vector<ParameterInfo> out;
  for (const auto& [tensor, names] : trainable(model)) {
    ParameterInfo info{names, {}, {}};
    for (const std::string& name : names) {
      const auto found = overrides.find(name);
      if (found == overrides.end()) continue;
      if (!info.lr) info.lr = found->second.lr;
      if (!info.weight_decay) info.weight_decay = found->second.weight_decay;
    }
    out.push_back(std::move(info));
  }
  return out;
}

std::unique_ptr<AdamW> make_optimizer(const models::Model& model, const OptimConfig& config) {
  const std::vector<double>& betas = config.betas();
  if (betas.size() != 2 || betas[0] < 0.0 || betas[0] >= 1.0 || betas[1] < 0.0 || betas[1] >= 1.0) {
    config.betas.fail(fmt::format("expected two numbers, each at least 0 and below 1, got [{}]",
                                  fmt::join(betas, ", ")));
  }
  AdamWOptions options{betas[0], betas[1], config.eps(), DecayKind::adamw};
  if (config.name() == "decoupled_adamw") options.decay = DecayKind::decoupled_adamw;

  const auto tensors = trainable(model);
  const std::vector<GroupSetting> settings = group_settings(config, parameter_infos(model));
  std::vector<AdamWParameter> parameters;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    parameters.push_back(
        {tensors[i].second.front(), tensors[i].first, settings[i].lr, settings[i].weight_decay});
  }
  return std::make_unique<AdamW>(parameters, options);
}

}  // namespace longconv::train
