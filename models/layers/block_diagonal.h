// A linear layer with a block-diagonal matrix (Monarch Mixer, arXiv:2310.12109; models.md 3.1):
// each of nb contiguous slices of the input gives its slice of the output. Widths that nb does not
// divide are padded with zeros; the output is cut back.
// Names: weight (nb, ceil(out / nb), ceil(in / nb)), bias (out).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace longconv::models {

class BlockDiagonal : public torch::nn::Module {
 public:
  /// Starts as U(-b, b) with b = 1 / sqrt(in / nb), the bias with b = 1 / sqrt(out)
  /// (models.md 3.4).
  BlockDiagonal(std::int64_t in, std::int64_t out, std::int64_t blocks, bool with_bias,
                const at::TensorOptions& options);
  /// x (.., in) -> (.., out); runs in autocast's dtype.
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight;
  at::Tensor bias;  ///< undefined if there is none

 private:
  std::int64_t in_;
  std::int64_t out_;
};

}  // namespace longconv::models
