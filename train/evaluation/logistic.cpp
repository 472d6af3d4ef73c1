#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/logistic.h"

#include "core/base/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace longconv::train {
namespace {

struct Samples {
  at::Tensor features;  ///< (N, F) float32
  at::Tensor labels;    ///< (N) int64
};

Samples read_all(const data::Dataset& data, const Features& features) {
  constexpr std::int64_t kRows = 1000;
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> labels;
  std::vector<std::int64_t> indices;
  for (std::int64_t first = 0; first < data.size(); first += kRows) {
    indices.resize(static_cast<std::size_t>(std::min(kRows, data.size() - first)));
    std::iota(indices.begin(), indices.end(), first);
    const data::Batch batch = data.get(indices);
    values.push_back(features(batch));
    labels.push_back(batch.target);
  }
  return {at::cat(values), at::cat(labels)};
}

}  // namespace

at::Tensor pixel_features(const data::Batch& batch) {
  LONGCONV_CHECK(!batch.lengths.defined(), ConfigError,
                 "logistic regression: expected images, whose pixels are features; these are "
                 "sequences of several lengths");
  return batch.input.flatten(1).to(at::kFloat);
}

LogisticResult logistic_regression(const data::Dataset& train, const data::Dataset& held_out,
                                   std::int64_t classes, const Features& features_of,
                                   const LogisticOptions& options) {
  const at::NoGradGuard no_grad;
  Samples fit = read_all(train, features_of);
  Samples test = read_all(held_out, features_of);
  const at::Tensor mean = fit.features.mean(0);
  const at::Tensor deviation = fit.features.std(0, /*unbiased=*/false).clamp_min(1e-3);
  fit.features.sub_(mean).div_(deviation);
  test.features.sub_(mean).div_(deviation);

  const std::int64_t samples = fit.features.size(0);
  const std::int64_t features = fit.features.size(1);
  at::Tensor weight = at::zeros({features, classes});
  at::Tensor bias = at::zeros({classes});
  at::Tensor weight_speed = at::zeros_like(weight);
  at::Tensor bias_speed = at::zeros_like(bias);
  const std::int64_t batches = (samples + options.batch - 1) / options.batch;
  LogisticResult result;
  result.features = features;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(samples));
    for (std::int64_t i = 0; i < samples; ++i) {
      order[static_cast<std::size_t>(i)] = data::shuffled_index(/*seed=*/0, epoch, i, samples);
    }
    const at::Tensor shuffled = at::tensor(order);
    double loss = 0.0;
    for (std::int64_t b = 0; b < batches; ++b) {
      const at::Tensor rows = shuffled.slice(0, b * options.batch, (b + 1) * options.batch);
      const at::Tensor x = fit.features.index_select(0, rows);
      const at::Tensor y = fit.labels.index_select(0, rows);
      const at::Tensor log_p = at::log_softmax(at::addmm(bias, x, weight), 1);
      loss -= log_p.gather(1, y.unsqueeze(1)).sum().item<double>();
      const auto count = static_cast<double>(rows.size(0));
      const at::Tensor slope = (log_p.exp() - at::one_hot(y, classes)) / count;
      const double done =
          static_cast<double>(epoch * batches + b) / static_cast<double>(options.epochs * batches);
      const double lr = options.lr * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
      const auto move = [&](at::Tensor& value, at::Tensor& speed, const at::Tensor& gradient) {
        speed.mul_(options.momentum).add_(gradient);
        value.sub_(lr * (gradient + options.momentum * speed));
      };
      move(weight, weight_speed, x.t().matmul(slope));
      move(bias, bias_speed, slope.sum(0));
    }
    result.train_loss = loss / static_cast<double>(samples);
  }
  const at::Tensor best = at::addmm(bias, test.features, weight).argmax(1);
  result.accuracy = best.eq(test.labels).to(at::kDouble).mean().item<double>();
  return result;
}

}  // namespace longconv::train
