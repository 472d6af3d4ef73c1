#include "models/heads/sequence_decoder.h"

#include "core/base/check.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>

#include <utility>

namespace longconv::models {
namespace {

at::Tensor sum_of_steps(const at::Tensor& x, const at::Tensor& lengths) {
  const at::Tensor counts = steps_that_count(lengths, x.size(1));
  return (counts.defined() ? x * counts.unsqueeze(2) : x).sum(1);
}

at::Tensor last_step(const at::Tensor& x, const at::Tensor& lengths) {
  if (!lengths.defined()) return x.select(1, x.size(1) - 1);
  const at::Tensor row = at::arange(x.size(0), lengths.options());
  return x.index({row, lengths - 1});
}

}  // namespace

at::Tensor mean_of_steps(const at::Tensor& x, const at::Tensor& lengths) {
  if (!lengths.defined()) return x.mean(1);
  return sum_of_steps(x, lengths) / lengths.unsqueeze(1);
}

at::Tensor steps_that_count(const at::Tensor& lengths, std::int64_t length) {
  if (!lengths.defined()) return {};
  return at::arange(length, lengths.options()).unsqueeze(0) < lengths.unsqueeze(1);
}

SequenceDecoder::SequenceDecoder(std::string pool, std::int64_t channels, std::int64_t outputs,
                                 bool with_bias, const at::TensorOptions& options)
    : pool_(std::move(pool)) {
  output_transform_ = register_module(
      "output_transform", std::make_shared<Linear>(channels, outputs, with_bias, options));
}

at::Tensor SequenceDecoder::forward(const at::Tensor& x, const at::Tensor& lengths) {
  at::Tensor pooled = x;
  if (pool_ == "mean") {
    pooled = mean_of_steps(x, lengths);
  } else if (pool_ == "sum") {
    pooled = sum_of_steps(x, lengths);
  } else if (pool_ == "first") {
    pooled = x.select(1, 0);
  } else if (pool_ == "last") {
    pooled = last_step(x, lengths);
  } else if (pool_ == "ragged" && lengths.defined()) {
    pooled = x.narrow(1, 0, lengths.max().item<std::int64_t>());
  }
  return output_transform_->forward(pooled);
}

std::shared_ptr<Decoder> make_decoder(const ModelConfig& config, const at::TensorOptions& options) {
  const std::int64_t d = config.d_model();
  const std::int64_t outputs = config.head.n_classes();
  if (outputs < 1) config.head.n_classes.fail("the number of classes or outputs must be set");
  const bool with_bias = config.head.bias();
  if (config.head.kind() == "regressor") {
    return std::make_shared<SequenceDecoder>("none", d, outputs, with_bias, options);
  }
  if (config.head.pool() == "retrieval") {
    if (!with_bias) config.head.bias.fail("expected true with pool = \"retrieval\"");
    return std::make_shared<RetrievalDecoder>(d, outputs, options);
  }
  return std::make_shared<SequenceDecoder>(config.head.pool(), d, outputs, with_bias, options);
}

RetrievalDecoder::RetrievalDecoder(std::int64_t channels, std::int64_t outputs,
                                   const at::TensorOptions& options) {
  const auto retrieval = register_module("retrieval", std::make_shared<torch::nn::Module>());
  const auto classifier =
      retrieval->register_module("classifier", std::make_shared<torch::nn::Module>());
  first_ = classifier->register_module(
      "0", std::make_shared<Linear>(4 * channels, channels, /*with_bias=*/true, options));
  second_ = classifier->register_module(
      "2", std::make_shared<Linear>(channels, outputs, /*with_bias=*/true, options));
}

at::Tensor RetrievalDecoder::forward(const at::Tensor& x, const at::Tensor& lengths) {
  LONGCONV_CHECK(x.size(0) % 2 == 0, ShapeError,
                 "retrieval: expected the rows of pairs, first all first ones, got {} rows",
                 x.size(0));
  const std::vector<at::Tensor> pair = mean_of_steps(x, lengths).chunk(2);
  const at::Tensor& a = pair[0];
  const at::Tensor& b = pair[1];
  return second_->forward(at::gelu(first_->forward(at::cat({a, b, a - b, a * b}, 1))));
}

}  // namespace longconv::models
