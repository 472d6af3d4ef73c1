// Heads over hidden states x (B, L, D), of which the first lengths[b] steps of row b count (all, if
// there are no lengths):
//
//   SequenceDecoder   W pool(x) + b, pool one of last, first, mean, sum of the steps; ragged: every
//                     step of the longest row; every step: W x + b
//   RetrievalDecoder  of means a, b of rows i and B/2 + i: W2 gelu(W1 [a, b, a - b, a b] + b1) + b2
//
// as safari and HyenaDNA have them (models.md 4.3, 5.6); b is left out with head.bias = false, as
// HyenaDNA's Hugging Face port does, whose classifier reads the last step (5.2). Lengths are of
// rows padded on their right; a row padded on its left has none: all of its steps count, the
// padding too, as HyenaDNA's means are published. Names: output_transform.*; of retrieval
// retrieval.classifier.{0, 2}.*.
#pragma once

#include "models/config.h"
#include "models/layers/basic.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace longconv::models {

class Decoder : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& lengths) = 0;
};

/// `pool` as model.head.pool has it, but for retrieval, or "none" for every step.
class SequenceDecoder : public Decoder {
 public:
  SequenceDecoder(std::string pool, std::int64_t channels, std::int64_t outputs, bool with_bias,
                  const at::TensorOptions& options);
  /// (B, outputs); ragged (B, longest, outputs), none (B, L, outputs).
  at::Tensor forward(const at::Tensor& x, const at::Tensor& lengths) override;

 private:
  std::string pool_;
  std::shared_ptr<Linear> output_transform_;
};

class RetrievalDecoder : public Decoder {
 public:
  RetrievalDecoder(std::int64_t channels, std::int64_t outputs, const at::TensorOptions& options);
  /// (B / 2, outputs). Throws ShapeError for an odd B.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& lengths) override;

 private:
  std::shared_ptr<Linear> first_;   ///< 4 D -> D
  std::shared_ptr<Linear> second_;  ///< D -> outputs
};

/// The decoder that [model.head] asks for, for hidden states of width d_model. Throws ConfigError
/// at the key.
std::shared_ptr<Decoder> make_decoder(const ModelConfig& config, const at::TensorOptions& options);

/// (B, L, D) -> (B, D): the mean over the steps that count.
at::Tensor mean_of_steps(const at::Tensor& x, const at::Tensor& lengths);

/// (B, L) bool, true before row b's lengths[b]; undefined for undefined lengths.
at::Tensor steps_that_count(const at::Tensor& lengths, std::int64_t length);

}  // namespace longconv::models
