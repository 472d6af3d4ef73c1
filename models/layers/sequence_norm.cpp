#include "models/layers/sequence_norm.h"

#include "models/layers/basic.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/std_mean.h>
#include <ATen/ops/zeros.h>

namespace longconv::models {
namespace {

class OverChannels final : public SequenceNorm {
 public:
  OverChannels(std::int64_t channels, double eps, const at::TensorOptions& options) {
    norm_ = register_module("norm", std::make_shared<LayerNorm>(channels, eps, options));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& /*counts*/) override {
    return norm_->forward(x);
  }

 private:
  std::shared_ptr<LayerNorm> norm_;
};

class OverBatch final : public SequenceNorm {
 public:
  OverBatch(std::int64_t channels, double eps, bool counts_padding,
            const at::TensorOptions& options)
      : eps_(eps), counts_padding_(counts_padding) {
    const auto norm = register_module("norm", std::make_shared<torch::nn::Module>());
    weight_ = norm->register_parameter("weight", at::ones({channels}, options));
    bias_ = norm->register_parameter("bias", at::zeros({channels}, options));
    mean_ = norm->register_buffer("running_mean", at::zeros({channels}, options));
    variance_ = norm->register_buffer("running_var", at::ones({channels}, options));
    batches_ =
        norm->register_buffer("num_batches_tracked", at::zeros({}, options.dtype(at::kLong)));
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& counts) override {
    constexpr double kMomentum = 0.1;
    const at::Tensor wide = x.to(weight_.scalar_type());
    const at::ScalarType delivered = product_dtype(wide);
    const auto normed = [this](const at::Tensor& rows) {
      return at::batch_norm(rows, weight_, bias_, mean_, variance_, is_training(), kMomentum, eps_,
                            /*cudnn_enabled=*/false);
    };
    if (is_training()) {
      const at::NoGradGuard no_grad;
      batches_ += 1;
    }
    const at::Tensor rows = wide.flatten(0, 1);
    const bool all = counts_padding_ || !counts.defined() || !is_training();
    if (all) return normed(rows).view(x.sizes()).to(delivered);
    // Padded steps have no say in the statistics; what becomes of them nobody reads.
    const at::Tensor mask = counts.reshape({-1, 1});
    const at::Tensor counted = normed(rows.index({counts.flatten()}));
    return at::zeros_like(rows).masked_scatter(mask, counted).view(x.sizes()).to(delivered);
  }

 private:
  double eps_;
  bool counts_padding_;
  at::Tensor weight_;    ///< (D)
  at::Tensor bias_;      ///< (D)
  at::Tensor mean_;      ///< (D), running
  at::Tensor variance_;  ///< (D), running, unbiased
  at::Tensor batches_;   ///< () int64
};

class ByScalars final : public SequenceNorm {
 public:
  explicit ByScalars(const at::TensorOptions& options) {
    const auto norm = register_module("norm", std::make_shared<torch::nn::Module>());
    shift_ = norm->register_parameter("m", at::zeros({1}, options));
    scale_ = norm->register_parameter("s", at::ones({1}, options));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& /*counts*/) override {
    const at::Tensor wide = x.to(scale_.scalar_type());
    const auto [deviation, mean] =
        at::std_mean(wide, /*dim=*/{-1}, /*unbiased=*/false, /*keepdim=*/true);
    return (scale_ / deviation * (wide - mean + shift_)).to(product_dtype(wide));
  }

 private:
  at::Tensor shift_;
  at::Tensor scale_;
};

}  // namespace

std::shared_ptr<SequenceNorm> make_norm(const ModelConfig& config,
                                        const at::TensorOptions& options) {
  const std::int64_t d = config.d_model();
  if (config.norm() == "scalar") return std::make_shared<ByScalars>(options);
  if (config.norm() == "batch") {
    return std::make_shared<OverBatch>(d, config.norm_eps(), config.norm_counts_padding(), options);
  }
  return std::make_shared<OverChannels>(d, config.norm_eps(), options);
}

}  // namespace longconv::models
