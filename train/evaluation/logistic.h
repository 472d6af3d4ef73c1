// What a classifier of images must beat: multinomial logistic regression on their pixels,
//
//   p(class | x) = softmax(W x + b)
//
// fitted to the training part by gradient descent with Nesterov's momentum on pixels brought to
// mean 0 and deviation 1, the rate falling along a cosine to 0.
#pragma once

#include "data/loader/loader.h"

#include <cstdint>

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

/// Inputs are series (B, L, C) of one length or, as grey levels, ids (B, L), labels (B) below
/// `classes`. The samples are held in memory as float32. The same fit every time. Throws
/// ConfigError for inputs of several lengths (padded sequences have no pixels).
LogisticResult logistic_regression(const data::Dataset& train, const data::Dataset& held_out,
                                   std::int64_t classes, const LogisticOptions& options = {});

}  // namespace longconv::train
