#include "train/loop/rehearsal.h"

#include "core/runtime/device.h"
#include "train/checkpoint/checkpoint.h"
#include "train/loop/training.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>

#include <chrono>
#include <vector>

namespace longconv::train {
namespace {

/// The first samples, again and again if they are few.
data::Batch first_batch(const data::Dataset& data, std::int64_t rows) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < rows; ++i) indices.push_back(i % data.size());
  return data.get(indices);
}

/// Of language models every id in turn, so that no part of the model sees a degenerate batch and no
/// batch is longer.
data::Batch made_up_batch(const Parts& parts, std::int64_t seq_len) {
  const auto* model = dynamic_cast<const models::LanguageModel*>(parts.model.get());
  if (model == nullptr || parts.objective->of_samples) {
    data::Batch batch = first_batch(*parts.train, parts.micro_batch);
    batch.target = batch.target.to(parts.device);
    return batch;
  }
  const std::int64_t tokens = parts.micro_batch * seq_len;
  const at::Tensor ids = at::arange(tokens, at::TensorOptions(at::kLong))
                             .remainder(model->vocab_size())
                             .view({parts.micro_batch, seq_len})
                             .to(parts.device);
  return {ids, ids};
}

/// The update's kernel, on a tensor that belongs to nobody.
void rehearse_update(const at::Tensor& like) {
  at::Tensor value = at::ones({1}, like.options().requires_grad(false)).requires_grad_();
  value.mutable_grad() = at::ones({1}, value.options().requires_grad(false));
  AdamW({{"rehearsal", value, /*lr=*/1.0, /*weight_decay=*/0.0}}, {}).step([](double peak) {
    return peak;
  });
}

}  // namespace

double rehearse(Parts& parts, const RunConfig& config) {
  const auto start = std::chrono::steady_clock::now();
  TrainState generators;  // dropout draws from them
  read_generators(parts.device, generators);
  std::vector<at::Tensor> buffers;  // running statistics of norms
  for (const at::Tensor& buffer : parts.model->buffers()) buffers.push_back(buffer.clone());
  accumulate_gradient(parts, made_up_batch(parts, config.data.seq_len()), config.train.precision());
  clip_gradients(parts.optimizer->gradients(), config.optim.clip_norm());
  rehearse_update(parts.model->parameters().front());
  parts.optimizer->zero_grad();
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < buffers.size(); ++i) parts.model->buffers()[i].copy_(buffers[i]);
  write_generators(parts.device, generators);
  runtime::synchronize(parts.device);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace longconv::train
