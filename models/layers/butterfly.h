// The matrices of a learned butterfly (core/ops/butterfly.h; models.md 4.6). They start as the
// Fourier transform's; with filter.transform_additive these are fixed, and what learns is added,
// N(0, .01) at first. Names: mat_2, mat_4, mat_8, mat_16, shown again as dft_matrices.{0..3}.
#pragma once

#include "core/ops/butterfly.h"
#include "models/config.h"
#include "models/layers/aliases.h"

#include <torch/nn/module.h>

#include <vector>

namespace longconv::models {

class ButterflyTransform : public torch::nn::Module, public HasAliases {
 public:
  /// Reads filter.transform_*. With transform_per_channel each of `channels` has its own matrices.
  ButterflyTransform(const FilterConfig& config, std::int64_t channels,
                     const at::TensorOptions& options);

  /// What the transform multiplies with: dropout of what learns, only in training, and with
  /// transform_additive the fixed part added.
  [[nodiscard]] ops::ButterflyMatrices matrices() const;

  [[nodiscard]] std::vector<Alias> aliases() const override;

 private:
  bool additive_;
  double dropout_;
  ops::ButterflyMatrices learned_;  ///< (Hm, n, n, 2)
};

}  // namespace longconv::models
