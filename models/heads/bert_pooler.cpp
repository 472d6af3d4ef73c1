#include "models/heads/bert_pooler.h"

#include "models/heads/sequence_decoder.h"

#include <fmt/format.h>

namespace longconv::models {

BertPooler::BertPooler(const ModelConfig& config, const at::TensorOptions& options)
    : pool_(config.head.pool()) {
  if (pool_ != "first" && pool_ != "mean") {
    config.head.pool.fail(
        fmt::format("family {} pools \"first\" or \"mean\", got \"{}\"", config.family(), pool_));
  }
  dense_ = register_module("dense", std::make_shared<Linear>(config.d_model(), config.d_model(),
                                                             /*with_bias=*/true, options));
}

at::Tensor BertPooler::forward(const at::Tensor& hidden, const at::Tensor& lengths) const {
  const at::Tensor pooled = pool_ == "first" ? hidden.select(1, 0) : mean_of_steps(hidden, lengths);
  return dense_->forward(pooled).tanh();
}

}  // namespace longconv::models
