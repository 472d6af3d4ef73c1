// Hyena's implicit filter in float64 by plain loops (arXiv:2302.10866, section 3.3):
//
//   h_t = W_{M+1} s(... s(W_0 z_t + b_0)),  s(x) = sin(freq x),  times exp(-tau_t |delta_c|) +
//   shift
#pragma once

#include <cstdint>
#include <vector>

namespace longconv::reference {

/// z [Lmax, E]: tau_t, cos(f_b w_t) for each band, -sin(f_b w_t) for each band.
std::vector<double> positional_features(std::int64_t l_max, std::int64_t emb_dim);

/// delta [channels], from the slowest decay to the fastest.
std::vector<double> modulation_deltas(std::int64_t channels, double fast_decay_pct,
                                      double slow_decay_pct, double target);

/// Row-major: layer i is [out_i, in_i], each of the first M+1 with a bias [out_i].
struct ImplicitFilter {
  std::int64_t l_max = 2;
  std::int64_t emb_dim = 3;
  std::int64_t width = 1;
  std::int64_t channels = 1;
  std::vector<std::vector<double>> weights;
  std::vector<std::vector<double>> biases;
  std::vector<double> freq;    ///< [width], shared by all activations
  std::vector<double> deltas;  ///< [channels]; empty: no modulation
  double shift = 0.0;
  bool normalized = false;  ///< divide by the L1 norm over channels at each step
};

/// h [length, channels]
std::vector<double> implicit_filter(const ImplicitFilter& f, std::int64_t length);

}  // namespace longconv::reference
