// Size and arithmetic of a model, for `longconv inspect`, the trainer's log and the planner.
//
// FLOPs follow the Hyena paper's model (arXiv:2302.10866, appendix A.2; models.md 2.6), a
// multiply-add counting as two:
//
//   projections 2 (N+1) D D     short conv 2 (N+1) D K     FFT conv 2 * 5 (N-1) D log2 L
//   output 2 D D                MLP 2 * 2 D d_inner        head 2 D V
//
// per token and layer. (The paper writes N for the number of projections, value included; here N is
// the order and N+1 projections exist.) Attention: 8 D D and, causal, 2 D L. LongConv: per layer C
// convolutions as above and an output of 2 * 2 C D D, an encoder of 2 D_in D; with a learned
// butterfly of n = 2 L points, 8 n sum(factors) / L a transform and an inverse FFT each. M2-BERT: a
// second FFT conv beside the gates, matrices of nb diagonal blocks in the gated MLP, 2 * 3 D
// d_inner / nb, and a layer before the head. The implicit filters cost the same for any batch, so
// they are counted once a forward pass, not per token.
#pragma once

#include "models/config.h"

#include <string>
#include <vector>

namespace longconv::models {

struct CostTerm {
  std::string name;    ///< "projections", "long_conv", ..
  double flops = 0.0;  ///< per token, forward, over all layers
};

struct Cost {
  std::int64_t parameters = 0;         ///< trainable elements, aliases counted once
  std::vector<CostTerm> terms;         ///< per token, forward
  double filter_flops_per_pass = 0.0;  ///< implicit filters, once a forward pass
  [[nodiscard]] double forward_flops_per_token() const;
  /// Forward and backward: the backward pass costs twice the forward.
  [[nodiscard]] double training_flops_per_token() const { return 3.0 * forward_flops_per_token(); }
};

/// At full length l_max. Allocates no weights. Throws ConfigError as `build` does.
Cost cost(const ModelConfig& config);

/// What a forward pass without gradients holds at once for each token, in bytes, with elements of
/// `element_bytes`: near enough to cut batches by. The widest moments are the transforms of the
/// convolution (signal, spectrum and result, each padded to twice the length, beside the residual
/// and the gates) and the two ends of the MLP; `with_logits` adds the head and a soft-max over it.
std::int64_t forward_bytes_per_token(const ModelConfig& config, std::int64_t element_bytes,
                                     bool with_logits);

}  // namespace longconv::models
