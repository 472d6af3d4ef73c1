#define AT_PER_OPERATOR_HEADERS
#include "train/optim/adamw.h"

#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>

namespace longconv::train {

AdamW::AdamW(const std::vector<AdamWParameter>& parameters, const AdamWOptions& options)
    : options_(options) {
  const c10::NoGradGuard no_grad;
  for (const AdamWParameter& parameter : parameters) {
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) {
      // The fused call takes tensors of one dtype.
      return g.lr == parameter.lr && g.weight_decay == parameter.weight_decay &&
             g.values.front().scalar_type() == parameter.value.scalar_type();
    });
    if (group == groups_.end()) {
      group = groups_.emplace(groups_.end());
      group->lr = parameter.lr;
      group->weight_decay = parameter.weight_decay;
    }
    group->names.push_back(parameter.name);
    group->values.push_back(parameter.value);
    group->exp_avgs.push_back(at::zeros_like(parameter.value));
    group->exp_avg_sqs.push_back(at::zeros_like(parameter.value));
  }
  for (Group& group : groups_) {
    group.steps = at::zeros({static_cast<std::int64_t>(group.values.size())},
                            group.values.front().options().dtype(at::kFloat).requires_grad(false));
    for (std::size_t i = 0; i < group.values.size(); ++i) {
      group.step_views.push_back(group.steps.select(0, static_cast<std::int64_t>(i)));
    }
  }
}

void AdamW::step(const std::function<double(double)>& rate) {
  const c10::NoGradGuard no_grad;
  for (Group& group : groups_) {
    std::vector<at::Tensor> values, gradients, exp_avgs, exp_avg_sqs, steps;
    for (std::size_t i = 0; i < group.values.size(); ++i) {
      const at::Tensor& gradient = group.values[i].grad();
      if (!gradient.defined()) continue;
      values.push_back(group.values[i]);
      gradients.push_back(gradient);
      exp_avgs.push_back(group.exp_avgs[i]);
      exp_avg_sqs.push_back(group.exp_avg_sqs[i]);
      steps.push_back(group.step_views[i]);
    }
    if (values.empty()) continue;
    if (values.size() == group.values.size()) {
      group.steps.add_(1);
    } else {
      for (at::Tensor& step : steps) step.add_(1);
    }
    const double lr = rate(group.lr);
    double weight_decay = group.weight_decay;
    if (options_.decay == DecayKind::decoupled_adamw) {
      weight_decay = group.lr > 0.0 ? weight_decay / group.lr : 0.0;
    }
    at::_fused_adamw_(values, gradients, exp_avgs, exp_avg_sqs, /*max_exp_avg_sqs=*/{}, steps, lr,
                      options_.beta1, options_.beta2, weight_decay, options_.eps,
                      /*amsgrad=*/false, /*maximize=*/false);
    // The fused call writes without counting (LibTorch 2.11). What is kept of the weights, such as
    // filters and saved tensors, goes by their version.
    for (const at::Tensor& value : values) value.unsafeGetTensorImpl()->bump_version();
  }
}

void AdamW::zero_grad() {
  for (Group& group : groups_) {
    for (at::Tensor& value : group.values) value.mutable_grad() = at::Tensor();
  }
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> out;
  for (const Group& group : groups_) {
    for (const at::Tensor& value : group.values) {
      if (value.grad().defined()) out.push_back(value.grad());
    }
  }
  return out;
}

std::vector<AdamWState> AdamW::state() const {
  std::vector<AdamWState> out;
  for (const Group& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      out.push_back({group.names[i], group.exp_avgs[i], group.exp_avg_sqs[i], group.step_views[i]});
    }
  }
  return out;
}

at::Tensor clip_gradients(const std::vector<at::Tensor>& gradients, double max_norm) {
  const c10::NoGradGuard no_grad;
  const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)));
  if (max_norm > 0.0) {
    const at::Tensor factor = norm.add(1e-6).reciprocal().mul(max_norm).clamp_max(1.0);
    at::_foreach_mul_(gradients, factor);
  }
  return norm;
}

}  // namespace longconv::train
