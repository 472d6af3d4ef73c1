// What a classifier must beat: multinomial logistic regression on features that know nothing of
// sequences, as the pixels of images or the words of bases of DNA,
//
//   p(class | x) = softmax(W x + b)
//
// fitted to the training part by gradient descent with Nesterov's momentum on features brought to
// mean 0 and deviation 1, the rate falling along a cosine to 0.
#pragma once

#include "data/loader/loader.h"

#include <cstdint>
#include <functional>

namespace longconv::train {

struct LogisticOptions {
  std::int64_t epochs = 20;
  std::int64_t batch = 500;
  double lr = 0.01;
  double momentum = 0.9;
};

struct LogisticResult {
  std::int64_t features = 0;  ///< numbers of a sample
  double train_loss = 0.0;    ///< nats per sample, over the last epoch
  double accuracy = 0.0;      ///< on the held-out part
};

/// (B, F) float32 of a batch.
using Features = std::function<at::Tensor(const data::Batch&)>;

/// Series (B, L, C) of one length or, as grey levels, ids (B, L), number by number. Throws
/// ConfigError for inputs of several lengths (padded sequences have no pixels).
at::Tensor pixel_features(const data::Batch& batch);

/// Labels (B) below `classes`. The features of all samples are held in memory. The same fit every
/// time. Throws what the features throw.
LogisticResult logistic_regression(const data::Dataset& train, const data::Dataset& held_out,
                                   std::int64_t classes, const Features& features = pixel_features,
                                   const LogisticOptions& options = {});

}  // namespace longconv::train
