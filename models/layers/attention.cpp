#include "models/layers/attention.h"

#include "core/base/check.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/unbind.h>

namespace longconv::models {

CausalAttention::CausalAttention(const ModelConfig& config, const at::TensorOptions& options)
    : channels_(config.d_model()),
      heads_(config.attention.n_heads()),
      rotary_dim_(config.attention.rotary_dim()),
      dropout_(config.attention.dropout()) {
  if (channels_ % heads_ != 0) {
    config.attention.n_heads.fail(
        fmt::format("expected a divisor of model.d_model = {}, got {}", channels_, heads_));
  }
  if (rotary_dim_ % 2 != 0 || rotary_dim_ > channels_ / heads_) {
    config.attention.rotary_dim.fail(
        fmt::format("expected an even number of at most {} (d_model / n_heads), got {}",
                    channels_ / heads_, rotary_dim_));
  }
  qkv_ = register_module("Wqkv", std::make_shared<Linear>(channels_, 3 * channels_, true, options));
  out_proj_ =
      register_module("out_proj", std::make_shared<Linear>(channels_, channels_, true, options));
}

at::Tensor CausalAttention::forward(const at::Tensor& x) {
  LONGCONV_CHECK(x.dim() == 3 && x.size(2) == channels_, ShapeError,
                 "attention: x must be [B, L, {}], got [{}]", channels_,
                 fmt::join(x.sizes(), ", "));
  const at::Tensor packed = qkv_->forward(x).unflatten(2, {3, heads_, channels_ / heads_});
  const std::vector<at::Tensor> qkv = at::unbind(packed.permute({2, 0, 3, 1, 4}));  // (B, h, L, d)
  const at::Tensor y = at::scaled_dot_product_attention(
      rotate(qkv[0]), rotate(qkv[1]), qkv[2], /*attn_mask=*/{}, is_training() ? dropout_ : 0.0,
      /*is_causal=*/true);
  return out_proj_->forward(y.transpose(1, 2).flatten(2));
}

at::Tensor CausalAttention::rotate(const at::Tensor& x) const {
  if (rotary_dim_ == 0) return x;
  // Angles in float32 at least: at position 2000 bf16 would be wrong by several radians.
  const auto wide = x.options().dtype(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const at::Tensor exponent = at::arange(0, rotary_dim_, 2, wide) / rotary_dim_;
  const at::Tensor angle =
      at::outer(at::arange(x.size(2), wide), at::pow(at::Scalar(10000.0), exponent).reciprocal());
  const at::Tensor cosine = angle.cos().to(x.scalar_type());  // (L, rotary_dim / 2)
  const at::Tensor sine = angle.sin().to(x.scalar_type());
  const std::int64_t half = rotary_dim_ / 2;
  const at::Tensor a = x.narrow(3, 0, half);
  const at::Tensor b = x.narrow(3, half, half);
  return at::cat({a * cosine - b * sine, a * sine + b * cosine,
                  x.narrow(3, rotary_dim_, x.size(3) - rotary_dim_)},
                 3);
}

}  // namespace longconv::models
