#include "core/reference/layer_norm.h"

#include <cmath>
#include <cstddef>

namespace longconv::reference {
namespace {

struct Row {
  double scale = 0.0;
  std::vector<double> unit;  ///< (x - mean) scale
};

Row normalised(const double* x, std::size_t channels, double eps) {
  double mean = 0.0;
  for (std::size_t c = 0; c < channels; ++c) mean += x[c] / static_cast<double>(channels);
  double variance = 0.0;
  for (std::size_t c = 0; c < channels; ++c) {
    variance += (x[c] - mean) * (x[c] - mean) / static_cast<double>(channels);
  }
  Row row;
  row.scale = 1.0 / std::sqrt(variance + eps);
  for (std::size_t c = 0; c < channels; ++c) row.unit.push_back((x[c] - mean) * row.scale);
  return row;
}

}  // namespace

std::vector<double> layer_norm(const LayerNorm& n, const std::vector<double>& x) {
  const std::size_t channels = n.weight.size();
  std::vector<double> y;
  for (std::size_t start = 0; start < x.size(); start += channels) {
    const Row row = normalised(x.data() + start, channels, n.eps);
    for (std::size_t c = 0; c < channels; ++c) y.push_back(row.unit[c] * n.weight[c] + n.bias[c]);
  }
  return y;
}

LayerNormGradients layer_norm_backward(const LayerNorm& n, const std::vector<double>& x,
                                       const std::vector<double>& dy) {
  const std::size_t channels = n.weight.size();
  LayerNormGradients d;
  d.weight.resize(channels);
  d.bias.resize(channels);
  for (std::size_t start = 0; start < x.size(); start += channels) {
    const Row row = normalised(x.data() + start, channels, n.eps);
    double mean = 0.0;
    double along = 0.0;  // how much of the gradient is along the row, which its norm takes out
    for (std::size_t c = 0; c < channels; ++c) {
      d.weight[c] += dy[start + c] * row.unit[c];
      d.bias[c] += dy[start + c];
      mean += dy[start + c] * n.weight[c] / static_cast<double>(channels);
      along += dy[start + c] * n.weight[c] * row.unit[c] / static_cast<double>(channels);
    }
    for (std::size_t c = 0; c < channels; ++c) {
      d.x.push_back(row.scale * (dy[start + c] * n.weight[c] - mean - row.unit[c] * along));
    }
  }
  return d;
}

}  // namespace longconv::reference
