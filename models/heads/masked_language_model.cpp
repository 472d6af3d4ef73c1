#include "models/heads/masked_language_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <utility>

namespace longconv::models {
namespace {
constexpr double kNormEps = 1e-12;  // hard-coded where it was published (models.md M-5)
}

MaskedLanguageModelHead::MaskedLanguageModelHead(std::shared_ptr<const Embedding> tied,
                                                 std::int64_t channels, std::int64_t rows,
                                                 const at::TensorOptions& options)
    : tied_(std::move(tied)) {
  const auto group = [](torch::nn::Module& parent, const char* name) {
    return parent.register_module(name, std::make_shared<torch::nn::Module>());
  };
  const auto predictions = group(*this, "predictions");
  const auto transform = group(*predictions, "transform");
  const auto decoder = group(*predictions, "decoder");
  dense_ = transform->register_module("dense",
                                      std::make_shared<Linear>(channels, channels, true, options));
  norm_ = transform->register_module("LayerNorm",
                                     std::make_shared<LayerNorm>(channels, kNormEps, options));
  if (!tied_) own_ = decoder->register_parameter("weight", at::zeros({rows, channels}, options));
  bias_ = decoder->register_parameter("bias", at::zeros({rows}, options));
}

void MaskedLanguageModelHead::initialise(double std) {
  const at::NoGradGuard no_grad;
  if (own_.defined()) own_.normal_(0.0, std);
}

at::Tensor MaskedLanguageModelHead::forward(const at::Tensor& hidden) const {
  const at::Tensor x = norm_->forward(at::gelu(dense_->forward(hidden)));
  return at::linear(x, tied_ ? tied_->weight : own_, bias_);
}

}  // namespace longconv::models
