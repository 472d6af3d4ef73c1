#include "models/layers/butterfly.h"

#include "models/layers/basic.h"

#include <ATen/ops/randn.h>
#include <fmt/format.h>

namespace longconv::models {
namespace {

std::string matrix_name(std::size_t i) { return fmt::format("mat_{}", ops::kButterflyOrders[i]); }

}  // namespace

ButterflyTransform::ButterflyTransform(const FilterConfig& config, std::int64_t channels,
                                       const at::TensorOptions& options)
    : additive_(config.transform_additive()), dropout_(config.transform_dropout()) {
  const std::int64_t count = config.transform_per_channel() ? channels : 1;
  constexpr double kDeviation = 0.01;
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    const std::int64_t n = ops::kButterflyOrders[i];
    const at::Tensor start =
        additive_ ? kDeviation * at::randn({count, n, n, 2}, options)
                  : ops::dft_matrix(n, options).unsqueeze(0).repeat({count, 1, 1, 1});
    learned_[i] = register_parameter(matrix_name(i), start);
  }
}

ops::ButterflyMatrices ButterflyTransform::matrices() const {
  ops::ButterflyMatrices out;
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    out[i] = drop(learned_[i], dropout_, is_training());
    if (!additive_) continue;
    const auto options = learned_[i].options().requires_grad(false);
    out[i] = out[i] + ops::dft_matrix(ops::kButterflyOrders[i], options);
  }
  return out;
}

std::vector<Alias> ButterflyTransform::aliases() const {
  std::vector<Alias> out;
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    out.push_back({fmt::format("dft_matrices.{}", i), matrix_name(i)});
  }
  return out;
}

}  // namespace longconv::models
