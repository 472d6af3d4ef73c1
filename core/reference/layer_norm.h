// Layer normalisation in float64 by plain loops.
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

struct LayerNorm {
  std::vector<double> weight;  ///< [D]
  std::vector<double> bias;    ///< [D]
  double eps = 1e-5;
};

struct LayerNormGradients {
  std::vector<double> x, weight, bias;
};

/// y = (x - mean) / sqrt(var + eps) weight + bias for each row of x [rows, D]; var is biased.
std::vector<double> layer_norm(const LayerNorm& n, const std::vector<double>& x);

LayerNormGradients layer_norm_backward(const LayerNorm& n, const std::vector<double>& x,
                                       const std::vector<double>& dy);

}  // namespace longconv::reference
